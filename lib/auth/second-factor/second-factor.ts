import { and, eq, isNotNull, lt, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { isSealedUnderCurrent, seal, unseal } from "../../crypto/sealed.js";
import { users } from "../../db/schema/accounts.js";
import { recoveryCodes, secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, noticeOf, queueNotice } from "../../mail/outbox.js";
import { byPassword } from "../session/sign-in.js";
import { recoveryCodeHashes } from "./recovery-codes.js";
import { readTotpCode, totpStep } from "./totp.js";

/** A code of the authenticator app, or one of the recovery codes. */
export const Otp = z.string().min(1).max(64);

/** Whose second factor is asked for. */
export interface FactorOwner {
  id: string;
  /** The sealed secret of a confirmed second factor; null when the account has none. */
  sealedSecret: string | null;
}

/** The column `sealedSecret` of any query over `users`, so that nobody without a factor costs a call. */
export const confirmedSecret = sql<string | null>`(
  select sealed_secret from ${secondFactors}
  where user_id = ${users}.id and confirmed_at is not null)`;

/** The condition that the account still has a factor, or none, as it did when the factor was asked for. */
export const factorUnchanged = (authMethods: string[]) => sql`(${confirmedSecret} is not null)
  = cast(${authMethods.includes("otp")} as boolean)`;

/**
 * The second half of a password sign-in, after the right password: the session's `amr` (RFC 8176). A
 * code that is taken is used up, whatever becomes of the sign-in. Throws `otp_required` or `otp_invalid`.
 */
export async function showSecondFactor(
  ctx: Context,
  account: FactorOwner,
  otp: string | undefined,
): Promise<string[]> {
  if (account.sealedSecret === null) return byPassword;
  if (otp === undefined) throw new AppError("otp_required");
  await consumeOtp(ctx, account, otp);
  return [...byPassword, "otp"];
}

/**
 * Take a code of the authenticator app or a recovery code. Each is good once: of several calls with the
 * same one, one wins. Throws `otp_invalid`.
 */
export async function consumeOtp(
  ctx: Context,
  { id: userId, sealedSecret }: FactorOwner,
  otp: string,
): Promise<void> {
  const code = readTotpCode(otp);
  const isTaken =
    sealedSecret !== null &&
    (code === null
      ? await consumeRecoveryCode(ctx, userId, otp)
      : await consumeTotpCode(ctx, userId, sealedSecret, code));
  if (isTaken) return;
  securityEvent(ctx, "second_factor_failed", { userId });
  throw new AppError("otp_invalid");
}

/** What a second factor's secret is sealed for. */
export const sealedFor = (userId: string) => ({ purpose: "totp-secret", owner: userId });

async function consumeTotpCode(
  ctx: Context,
  userId: string,
  sealedSecret: string,
  code: string,
): Promise<boolean> {
  const secret = unseal(ctx.env, sealedFor(userId), sealedSecret);
  const step = totpStep(secret, code, ctx.now);
  if (step === null) return false;
  const isCurrent = isSealedUnderCurrent(ctx.env, sealedFor(userId), sealedSecret);
  const taken = await ctx.db
    .update(secondFactors)
    .set({
      lastUsedStep: step,
      // After a change of the data key each secret moves to the new one as it is used.
      ...(isCurrent ? {} : { sealedSecret: seal(ctx.env, sealedFor(userId), secret) }),
    })
    .where(
      and(
        eq(secondFactors.userId, userId),
        isNotNull(secondFactors.confirmedAt),
        lt(secondFactors.lastUsedStep, step),
        eq(secondFactors.sealedSecret, sealedSecret),
      ),
    )
    .returning({ userId: secondFactors.userId });
  return taken.length > 0;
}

async function consumeRecoveryCode(ctx: Context, userId: string, typed: string): Promise<boolean> {
  const hashes = recoveryCodeHashes(ctx.env, typed);
  if (hashes.length === 0) return false;
  const noticeId = newMailId();
  const entry = {
    actor: { kind: "user", id: userId },
    action: "recovery_code.used",
    subjectId: userId,
  } as const;
  const { rows } = await ctx.db.execute(sql`
    with used as (
      update ${recoveryCodes} set used_at = ${timestamp(ctx.now)}
      where user_id = ${userId} and used_at is null and code_hash = any(${sql.param(hashes)}::text[])
      returning user_id
    ), noticed as (
      ${queueNotice(noticeOf(ctx, noticeId, "second_factor_changed"), sql`used`)}
    ), audited as (
      ${auditIfAny(ctx, entry, sql`used`)}
    )
    select user_id from used`);
  if (rows.length === 0) return false;
  securityEvent(ctx, "recovery_code_used", { userId });
  deliverLater(ctx, noticeId);
  return true;
}
