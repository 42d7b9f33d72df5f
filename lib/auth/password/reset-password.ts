import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { users } from "../../db/schema/accounts.js";
import { mailCodes } from "../../db/schema/mail.js";
import { secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { deliverLater, deliverUnnoticed } from "../../mail/deliver-later.js";
import { newMailId, queueMail } from "../../mail/queue-mail.js";
import { resetSubject } from "../../rate-limit/account-limit-key.js";
import type { Reservation } from "../../rate-limit/count.js";
import { endSignInDelay } from "../../rate-limit/end-sign-in-delay.js";
import { isTrusted } from "../../rate-limit/trusted-address.js";
import { canonicalEmail } from "../../user/email-address.js";
import { rethrowAsCodeInvalid, SubmittedCode, type VerifiedCode } from "../email/mail-code.js";
import { Device } from "../session/device.js";
import { revokeSessions } from "../session/session.js";
import { deleteSessionKeys } from "../session/session-keys.js";
import { findPasswordViolation, hashPassword } from "./password.js";
import { issueResetCode, requireResetCode } from "./reset-code.js";

export const PasswordResetRequest = z.strictObject({
  email: z
    .string()
    .max(254)
    .meta({ examples: ["ada@example.com"] }),
  device: Device.optional(),
});

export const PasswordReset = z.strictObject({
  email: z
    .string()
    .max(254)
    .meta({ examples: ["ada@example.com"] }),
  code: SubmittedCode,
  password: z
    .string()
    .max(512)
    .meta({ examples: ["staple of a new horse"] }),
  device: Device.optional(),
});

/** Takes the same time for every address, also for unknown and invalid ones. */
export async function requestPasswordReset(
  ctx: Context,
  { email }: z.infer<typeof PasswordResetRequest>,
  deviceId: string | null,
): Promise<void> {
  const mailId = newMailId();
  const requester = { deviceId, isTrusted: isTrusted(ctx.address, ctx.env) };
  await issueResetCode(ctx, canonicalEmail(email) ?? "", requester, mailId);
  deliverUnnoticed(ctx, mailId);
}

/** Counted apart from wrong passwords, which are the usual reason for a reset. */
export const resetSubjectOf = (email: string) => resetSubject(canonicalEmail(email) ?? email);

/**
 * Also revokes all sessions, ends the sign-in delay and mails the owner; a claim is verified, and loses its name, picture and
 * second factor. Audited. Throws `code_invalid`, `service_unavailable` (retry), and `validation_failed` before trying the code.
 */
export async function resetPassword(
  ctx: Context,
  input: z.infer<typeof PasswordReset>,
  { deviceId, reserved }: { deviceId: string | null; reserved: Reservation },
): Promise<void> {
  const email = canonicalEmail(input.email) ?? "";
  const refusal = findPasswordViolation(input.password, email);
  if (refusal) throw new AppError("validation_failed", { fields: [refusal] });
  const code = await requireResetCode(ctx, email, input.code, deviceId);
  const passwordHash = await hashPassword(input.password);

  const { userId } = code;
  const mailId = newMailId();
  const actor = { kind: "user", id: userId } as const;
  const [, revoked] = await writeOnce(ctx, code.id, [
    setPassword(ctx, code, passwordHash),
    revokeSessions(ctx, { userId }, "password_reset"),
    queueMail(ctx, mailId, { template: "password_changed", to: { userId } }, { send: true }),
    auditRow(ctx, { actor, action: "password.reset", subjectId: userId }),
  ]).catch(rethrowAsCodeInvalid);
  await deleteSessionKeys(
    ctx,
    revoked.map(({ id }) => id),
  );
  deliverLater(ctx, mailId);
  await endSignInDelay(ctx, email, reserved, deviceId);
}

/** An attacker may have made the claim: remove what they set. One lock order avoids deadlocks. */
function setPassword(ctx: Context, code: VerifiedCode, passwordHash: string) {
  return ctx.db.execute(sql`
    with live as (
      select id from ${mailCodes} where purpose = 'reset_password' and email = ${code.email}
      order by id for update
    ), account as (
      select id, email is null as is_claim, coalesce(email, claimed_email) as address from ${users}
      where id = ${code.userId} and (select count(*) from live) > 0
      for no key update
    ), consumed as (
      delete from ${mailCodes} where id = ${code.id} and exists (select 1 from account)
      returning id
    ), changed as (
      update ${users} set password_hash = ${passwordHash}, email = ${code.email},
        claimed_email = null, claim_device = null, email_undeliverable = false,
        name = case when is_claim then '' else name end,
        avatar_url = case when is_claim then null else avatar_url end,
        updated_at = ${timestamp(ctx.now)}
      from account, consumed
      where ${users.id} = account.id and address = ${code.email}
      returning account.id, is_claim
    ), voided as (
      delete from ${mailCodes} using changed
      where ${mailCodes.id} <> ${code.id} and (user_id = changed.id
        or purpose = 'reset_password' and ${mailCodes.email} = ${code.email})
    ), unlocked as (
      delete from ${secondFactors} where user_id in (select id from changed where is_claim)
    )
    select ${requiredRow(sql`changed`)}`);
}
