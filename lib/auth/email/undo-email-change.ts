import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { users } from "../../db/schema/accounts.js";
import { emailChanges, mailCodes } from "../../db/schema/mail.js";
import { recoveryCodes, secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, queueMail } from "../../mail/queue-mail.js";
import { verifyUndoToken } from "../../mail/undo-token.js";
import { revokeSessions } from "../session/session.js";
import { deleteSessionKeys } from "../session/session-keys.js";
import { rethrowAsCodeInvalid } from "./mail-code.js";

export const EmailChangeUndo = z.strictObject({
  token: z
    .string()
    .min(1)
    .max(256)
    .meta({
      examples: [
        "ue1.5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6.0000000000000000000000000000000000000000000",
      ],
    }),
});

/** Also voids the password, sessions, codes and recent factors, and mails the owner (docs/decisions/012). Throws `code_invalid`. */
export async function undoEmailChange(
  ctx: Context,
  { token }: z.infer<typeof EmailChangeUndo>,
): Promise<void> {
  const id = verifyUndoToken(ctx.env, token);
  const change = id === null ? undefined : await findChange(ctx, id);
  if (!change) throw new AppError("code_invalid");
  const { userId } = change;
  const mailId = newMailId();
  const actor = { kind: "user", id: userId } as const;
  const [, revoked] = await writeOnce(ctx, change.id, [
    restore(ctx, change),
    revokeSessions(ctx, { userId }, "email_changed"),
    queueMail(ctx, mailId, { template: "email_change_undone", to: { userId } }, { send: true }),
    auditRow(ctx, { actor, action: "email.change_undone", subjectId: userId }),
  ]).catch(rethrowAsCodeInvalid);
  await deleteSessionKeys(
    ctx,
    revoked.map(({ id }) => id),
  );
  deliverLater(ctx, mailId);
}

async function findChange(ctx: Context, id: string) {
  const { userId } = emailChanges;
  const [found] = await ctx.db
    .select({ id: emailChanges.id, userId })
    .from(emailChanges)
    .where(eq(emailChanges.id, id));
  return found;
}

/** An attacker may have controlled the account this long before the change. */
const distrustPeriod = sql.raw("interval '168 hours'");

function restore(ctx: Context, { id, userId }: { id: string; userId: string }) {
  const now = timestamp(ctx.now);
  return ctx.db.execute(sql`
    with account as (
      select id from ${users} where id = ${userId} for no key update
    ), change as (
      select c.user_id, c.old_email, c.created_at
      from account join ${emailChanges} c on c.user_id = account.id
      where c.id = ${id} and c.undone_at is null and c.expires_at > ${now}
      for update of c
    ), restored as (
      update ${users} set email = old_email, password_hash = null, email_undeliverable = false,
        updated_at = ${now}
      from change
      where ${users.id} = change.user_id
      returning ${users.id}
    ), undone as (
      update ${emailChanges} set undone_at = ${now}
      from change
      where ${emailChanges.userId} = change.user_id and undone_at is null
        and ${emailChanges.createdAt} >= change.created_at
    ), voided as (
      delete from ${mailCodes} where user_id in (select id from restored)
    ), unlocked as (
      delete from ${secondFactors} using change
      where ${secondFactors.userId} = change.user_id
        and coalesce(confirmed_at, ${secondFactors.createdAt}) >= change.created_at - ${distrustPeriod}
    ), forgotten as (
      delete from ${recoveryCodes} using change
      where ${recoveryCodes.userId} = change.user_id
        and ${recoveryCodes.createdAt} >= change.created_at - ${distrustPeriod}
    )
    select ${requiredRow(sql`restored`)}`);
}
