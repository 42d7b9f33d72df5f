import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { users } from "../../db/schema/accounts.js";
import { mailCodes } from "../../db/schema/mail.js";
import { secondFactors } from "../../db/schema/security.js";
import { xpEntries } from "../../db/schema/user-data.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { deliverLater, newMailId, queueMail } from "../../mail/outbox.js";
import { canonicalEmail } from "../email/address.js";
import {
  addressSubject,
  addressSubjects,
  consumed,
  issueCode,
  refuseLost,
  requireCode,
  type ShownCode,
  TypedCode,
} from "../email/mail-code.js";
import { revokeSessions } from "../session/session.js";
import { deleteSessionKeys } from "../session/session-keys.js";
import { hashPassword, passwordRefusal } from "./password.js";

export const PasswordForgotten = z.strictObject({ email: z.string().max(254) });

export const PasswordReset = z.strictObject({
  email: z.string().max(254),
  code: TypedCode,
  password: z.string().max(512),
});

/**
 * Mail a code that sets a new password: to the account that the address is bound to, else to the claim
 * with the most experience points, else the oldest. An address that nobody has, or that cannot exist,
 * costs the same. Safe to repeat.
 */
export async function forgetPassword(
  ctx: Context,
  input: z.infer<typeof PasswordForgotten>,
): Promise<void> {
  const email = canonicalEmail(input.email) ?? "";
  const mailId = newMailId();
  const account = sql`account as (
      select id from ${users}
      where email = ${email} or (email is null and claimed_email = ${email})
      order by email is null, (
        select coalesce(sum(points), 0) from ${xpEntries} where user_id = ${users.id}
      ) desc, created_at, id
      limit 1
    )`;
  await issueCode(
    ctx,
    {
      purpose: "reset_password",
      subject: addressSubject(ctx.env, email),
      userId: sql`(select id from account)`,
      email,
      template: "reset_password",
      send: sql`exists (select 1 from account)`,
      mailId,
    },
    [account],
  );
  deliverLater(ctx, mailId);
}

/**
 * Set a new password by the code that was mailed, end every session, and bind the address when it was
 * only claimed, for reading the mail has shown whose it is. Throws `validation_failed` for a password
 * that is not acceptable, before the code is tried, and `code_invalid`.
 */
export async function resetPassword(
  ctx: Context,
  input: z.infer<typeof PasswordReset>,
): Promise<void> {
  const email = canonicalEmail(input.email) ?? "";
  const refusal = passwordRefusal(input.password, email);
  if (refusal) throw new AppError("validation_failed", { fields: [refusal] });
  const subjects = addressSubjects(ctx.env, email);
  const code = await requireCode(ctx, "reset_password", subjects, input.code);
  const passwordHash = await hashPassword(input.password);

  const { userId } = code;
  const mailId = newMailId();
  const actor = { kind: "user", id: userId } as const;
  const [, revoked] = await writeOnce(ctx, code.id, [
    setPassword(ctx, code, passwordHash),
    revokeSessions(ctx, { userId }, "password_reset"),
    queueMail(ctx, mailId, { template: "password_changed", to: { userId } }, { send: true }),
    auditRow(ctx, { actor, action: "password.reset", subjectId: userId }),
  ]).catch(refuseLost);
  await deleteSessionKeys(
    ctx,
    revoked.map(({ id }) => id),
  );
  deliverLater(ctx, mailId);
}

/**
 * Consumes the code and voids the account's others. Whoever only claimed the address may have been a
 * stranger: what they set up as a second factor must not lock its owner out.
 */
function setPassword(ctx: Context, code: ShownCode, passwordHash: string) {
  return ctx.db.execute(sql`
    with account as (
      select id, email is null as is_claim, coalesce(email, claimed_email) as address from ${users}
      where id = ${code.userId}
      for no key update
    ), ${consumed(code.id)}, changed as (
      update ${users} set password_hash = ${passwordHash}, email = ${code.email},
        claimed_email = null, claim_device = null, email_undeliverable = false,
        updated_at = ${timestamp(ctx.now)}
      from account, consumed
      where ${users.id} = account.id and consumed.user_id = account.id and address = ${code.email}
      returning account.id, is_claim
    ), voided as (
      delete from ${mailCodes} where user_id in (select id from changed) and id <> ${code.id}
    ), unlocked as (
      delete from ${secondFactors} where user_id in (select id from changed where is_claim)
    )
    select ${requiredRow(sql`changed`)}`);
}
