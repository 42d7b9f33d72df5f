import { and, eq, isNotNull, lt, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { pastedCodeMax } from "../../crypto/pasted-code.js";
import { isSealedWithCurrentKey, seal, unseal } from "../../crypto/sealed.js";
import { users } from "../../db/schema/accounts.js";
import { recoveryCodes, secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { accountMailOf, newMailId, queueAccountMail } from "../../mail/queue-mail.js";
import { passwordAuthMethods } from "../session/sign-in.js";
import { recoveryCodeHashes } from "./recovery-codes.js";
import { parseTotpCode, totpStep } from "./totp.js";

/** A TOTP code or a recovery code. */
export const Otp = z.string().min(1).max(pastedCodeMax);

export interface FactorOwner {
  id: string;
  /** Null without a confirmed factor. */
  sealedSecret: string | null;
}

/** The encrypted secret of a confirmed factor: a subquery for any query over `users`. */
export const confirmedSecret = sql<string | null>`(
  select sealed_secret from ${secondFactors}
  where user_id = ${users}.id and confirmed_at is not null)`;

/** SQL: the account has a factor exactly if `hasFactor`. */
export const factorUnchanged = sql`(${confirmedSecret} is not null)
  = cast(${sql.placeholder("hasFactor")} as boolean)`;

/** Consumes `otp` if the account has a factor. Returns the session's `amr` (RFC 8176). Throws `otp_required`, `otp_invalid`. */
export async function requireSecondFactor(
  ctx: Context,
  account: FactorOwner,
  otp: string | undefined,
): Promise<string[]> {
  if (account.sealedSecret === null) return passwordAuthMethods;
  if (otp === undefined) throw new AppError("otp_required");
  await consumeOtp(ctx, account, otp);
  return [...passwordAuthMethods, "otp"];
}

/** Single use: of concurrent calls with one code, one succeeds. A recovery code also mails the owner. Throws `otp_invalid`. */
export async function consumeOtp(
  ctx: Context,
  { id: userId, sealedSecret }: FactorOwner,
  otp: string,
): Promise<void> {
  const code = parseTotpCode(otp);
  const isConsumed =
    sealedSecret !== null &&
    (code === null
      ? await consumeRecoveryCode(ctx, userId, otp)
      : await consumeTotpCode(ctx, userId, sealedSecret, code));
  if (isConsumed) return;
  securityEvent(ctx, "second_factor_failed", { userId });
  throw new AppError("otp_invalid");
}

export const totpSecretContext = (userId: string) => ({ purpose: "totp-secret", owner: userId });

async function consumeTotpCode(
  ctx: Context,
  userId: string,
  sealedSecret: string,
  code: string,
): Promise<boolean> {
  const secret = unseal(ctx.env, totpSecretContext(userId), sealedSecret);
  const step = totpStep(secret, code, ctx.now);
  if (step === null) return false;
  const isCurrent = isSealedWithCurrentKey(ctx.env, totpSecretContext(userId), sealedSecret);
  const taken = await ctx.db
    .update(secondFactors)
    .set({
      lastUsedStep: step,
      // Encrypt the secret again under the current data key after a rotation.
      ...(isCurrent ? {} : { sealedSecret: seal(ctx.env, totpSecretContext(userId), secret) }),
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
  const mailId = newMailId();
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
      ${queueAccountMail(accountMailOf(ctx, mailId, "second_factor_changed"), sql`used`)}
    ), audited as (
      ${auditIfAny(ctx, entry, sql`used`)}
    )
    select user_id from used`);
  if (rows.length === 0) return false;
  securityEvent(ctx, "recovery_code_used", { userId });
  deliverLater(ctx, mailId);
  return true;
}
