import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow } from "../../audit/audit.js";
import type { Actor, Context } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { emailChanges } from "../../db/schema/mail.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, queueMail } from "../../mail/queue-mail.js";
import { validEmail } from "../../user/email-address.js";
import {
  presentUser,
  requireUser,
  type User,
  type UserRow,
  userFromJson,
} from "../../user/user.js";
import { revokeSessions } from "../session/session.js";
import { deleteSessionKeys } from "../session/session-keys.js";
import {
  consumeCode,
  issueCode,
  requireCode,
  rethrowAsCodeInvalid,
  SubmittedCode,
  type VerifiedCode,
} from "./mail-code.js";

export const EmailChange = z.strictObject({
  email: z
    .string()
    .max(254)
    .meta({ examples: ["ada.new@example.com"] }),
});
export const EmailChangeConfirmation = z.strictObject({ code: SubmittedCode });

const undoDays = 7;

/**
 * Mails a code to the new address; an account without a verified one claims it at once. Audited. Does not reveal whether
 * the address is taken. Throws `validation_failed`, `password_not_set`, `session_revoked`.
 */
export async function requestEmailChange(
  ctx: Context,
  { userId, sessionId }: Actor,
  input: z.infer<typeof EmailChange>,
  { mayMailUnproven }: { mayMailUnproven: boolean },
): Promise<void> {
  const email = validEmail(input.email);
  const user = await requireUser(ctx, userId);
  if (user.isGuest) throw new AppError("password_not_set");

  const mailId = newMailId();
  const actor = { kind: "user", id: userId } as const;
  await writeOnce(ctx, userId, [
    user.email === null
      ? replaceClaim(ctx, { userId, sessionId }, email, { mailId, send: mayMailUnproven })
      : issueChangeCode(ctx, user, email, { mailId, send: mayMailUnproven }),
    auditRow(ctx, { actor, action: "email.change_requested", subjectId: userId }),
  ]);
  deliverLater(ctx, mailId);
}

interface CodeMail {
  mailId: string;
  send: boolean;
}

function issueChangeCode(ctx: Context, user: UserRow, email: string, { mailId, send }: CodeMail) {
  return issueCode(
    ctx,
    {
      purpose: "change_email",
      subject: user.id,
      email,
      ...unlessTaken(user.id, "confirm_new_email"),
      send: sql`(${send} and not exists (select 1 from taken where id = ${user.id}))`,
      mailId,
    },
    [taken(email)],
  );
}

/** `claimed_at` is now: the new claim must not count as old as the account. */
function replaceClaim(
  ctx: Context,
  { userId, sessionId }: Pick<Actor, "userId" | "sessionId">,
  email: string,
  { mailId, send }: CodeMail,
) {
  const claimed = sql`claimed as (
      update ${users} set claimed_email = ${email}, claimed_at = ${timestamp(ctx.now)},
        claim_device = (select device_id from ${sessions} where id = ${sessionId}),
        updated_at = ${timestamp(ctx.now)}
      where id = ${userId} and email is null and claimed_email is distinct from ${email}
    )`;
  return issueCode(
    ctx,
    {
      purpose: "verify_email",
      subject: userId,
      email,
      ...unlessTaken(userId, "verify_email"),
      send,
      mailId,
    },
    [taken(email), claimed],
  );
}

const taken = (email: string) =>
  sql`taken as (select id from ${users} where ${users.email} = ${email})`;

const unlessTaken = (userId: string, template: string) => ({
  userId: sql`(select cast(${userId} as uuid) where not exists (select 1 from taken))`,
  template: sql`case when exists (select 1 from taken) then 'address_taken'
    else cast(${template} as text) end`,
});

/** Also revokes the other sessions and mails the old address an undo token. Audited. Throws `code_invalid`, `session_revoked`. */
export async function confirmEmailChange(
  ctx: Context,
  { userId, sessionId }: Actor,
  { code: typed }: z.infer<typeof EmailChangeConfirmation>,
): Promise<User> {
  const [code, { email: oldEmail }] = await Promise.all([
    requireCode(ctx, "change_email", [userId], typed),
    requireUser(ctx, userId),
  ]);
  if (oldEmail === null) throw new AppError("code_invalid");
  const mailId = newMailId();
  const undoId = randomUUID();
  const notice = { template: "email_changed", to: { email: oldEmail }, undoId } as const;
  const actor = { kind: "user", id: userId } as const;
  const [{ rows }, revoked] = await writeOnce(ctx, userId, [
    applyChange(ctx, code, { undoId, oldEmail }),
    revokeSessions(ctx, { userId, except: sessionId }, "email_changed"),
    queueMail(ctx, mailId, notice, { send: true }),
    auditRow(ctx, { actor, action: "email.changed", subjectId: userId }),
  ]).catch(rethrowAsCodeInvalid);
  await deleteSessionKeys(
    ctx,
    revoked.map(({ id }) => id),
  );
  deliverLater(ctx, mailId);
  return presentUser(userFromJson(rows[0]?.user));
}

function applyChange(
  ctx: Context,
  code: VerifiedCode,
  { undoId, oldEmail }: { undoId: string; oldEmail: string },
) {
  const at = (days: number) => timestamp(new Date(ctx.now.getTime() + days * 86_400_000));
  return ctx.db.execute<{ user: unknown }>(sql`
    with ${consumeCode(code.id)}, changed as (
      update ${users} set email = ${code.email}, email_undeliverable = false, updated_at = ${at(0)}
      from consumed
      where ${users.id} = consumed.user_id and email = ${oldEmail}
      returning ${users}.*
    ), recorded as (
      insert into ${emailChanges} (id, user_id, old_email, created_at, expires_at)
      select cast(${undoId} as uuid), id, cast(${oldEmail} as text), ${at(0)}, ${at(undoDays)}
      from changed
    )
    select (select row_to_json(changed) from changed) as user, ${requiredRow(sql`changed`)}`);
}
