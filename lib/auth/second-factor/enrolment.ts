import { randomUUID } from "node:crypto";
import { and, eq, isNotNull, isNull, sql } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context, Role } from "../../context.js";
import { pastedCodeMax } from "../../crypto/pasted-code.js";
import { seal, unseal } from "../../crypto/sealed.js";
import { recoveryCodes, secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { newMailId } from "../../mail/queue-mail.js";
import { redisUnavailable } from "../../observability/log-lines/stores.js";
import { hasOtherAdmin } from "../other-admin.js";
import { lockAccount } from "../session/session.js";
import { changeSessionRole, deleteSessionKeys } from "../session/session-keys.js";
import type { AccessClaims } from "../token/access-token.js";
import {
  factorChangeParts,
  type RevokedSessions,
  requireFactorAccount,
  secondFactorChanged,
} from "./factor-change.js";
import { newRecoveryCodes, type RecoveryCodes, storeRecoveryCodes } from "./recovery-code-set.js";
import { totpSecretContext } from "./second-factor.js";
import { newTotpSecret, otpauthUrl, parseTotpCode, totpStep } from "./totp.js";

export const SecondFactorState = z.strictObject({
  enabled: z.boolean(),
  since: z.iso.datetime().nullable(),
  recoveryCodesLeft: z.int(),
});
export type SecondFactorState = z.infer<typeof SecondFactorState>;

export const TotpEnrolment = z.strictObject({ secret: z.string(), otpauthUrl: z.string() });
export type TotpEnrolment = z.infer<typeof TotpEnrolment>;

export const TotpConfirmation = z.strictObject({
  code: z
    .string()
    .min(1)
    .max(pastedCodeMax)
    .meta({ examples: ["123456"] }),
});

export async function getSecondFactorState(
  ctx: Context,
  userId: string,
): Promise<SecondFactorState> {
  const [factor] = await ctx.db
    .select({
      since: secondFactors.confirmedAt,
      left: sql<number>`(
        select count(*)::int from ${recoveryCodes} where user_id = ${userId} and used_at is null)`,
    })
    .from(secondFactors)
    .where(and(eq(secondFactors.userId, userId), isNotNull(secondFactors.confirmedAt)));
  return {
    enabled: factor !== undefined,
    since: factor?.since?.toISOString() ?? null,
    recoveryCodesLeft: factor?.left ?? 0,
  };
}

/** Replaces a pending enrolment. Throws `second_factor_enrolled`, `session_revoked`, `email_unverified`: mail must reach the owner. */
export async function beginEnrolment(ctx: Context, userId: string): Promise<TotpEnrolment> {
  const { email, factor } = await requireFactorAccount(ctx, userId);
  if (email === null) throw new AppError("email_unverified");
  if (factor?.confirmedAt) throw new AppError("second_factor_enrolled");
  const secret = newTotpSecret();
  const row = {
    id: randomUUID(),
    sealedSecret: seal(ctx.env, totpSecretContext(userId), secret),
    createdAt: ctx.now,
  };
  const [begun] = await writeOnce(ctx, row.id, [
    ctx.db
      .insert(secondFactors)
      .values({ userId, ...row })
      .onConflictDoUpdate({
        target: secondFactors.userId,
        set: row,
        setWhere: isNull(secondFactors.confirmedAt),
      })
      .returning({ id: secondFactors.id }),
  ]);
  if (begun.length === 0) throw new AppError("second_factor_enrolled");
  return { secret, otpauthUrl: otpauthUrl(secret, email) };
}

/** For a retry. Throws `session_revoked`, and `second_factor_changed` once it is confirmed, replaced or removed. */
export async function getPendingEnrolment(
  ctx: Context,
  userId: string,
  enrolmentId: string,
): Promise<TotpEnrolment> {
  const { email, factor } = await requireFactorAccount(ctx, userId);
  const isPending = factor?.id === enrolmentId && factor.confirmedAt === null;
  if (email === null || !isPending) throw new AppError("second_factor_changed");
  const secret = unseal(ctx.env, totpSecretContext(userId), factor.sealedSecret);
  return { secret, otpauthUrl: otpauthUrl(secret, email) };
}

/**
 * Also revokes the other sessions, adds `otp` to this one's `amr` (operators get their role), mails the owner. Audited. Throws
 * `code_invalid`, `second_factor_missing`, `second_factor_enrolled`, `second_factor_changed`, `session_revoked`.
 */
export async function confirmEnrolment(
  ctx: Context,
  actor: Actor,
  typed: string,
): Promise<RecoveryCodes> {
  const { userId, sessionId } = actor;
  const { role, factor } = await requireFactorAccount(ctx, userId);
  if (!factor) throw new AppError("second_factor_missing");
  if (factor.confirmedAt) throw new AppError("second_factor_enrolled");
  const secret = unseal(ctx.env, totpSecretContext(userId), factor.sealedSecret);
  const code = parseTotpCode(typed);
  const step = code === null ? null : totpStep(secret, code, ctx.now);
  if (step === null) throw new AppError("code_invalid");

  const set = newRecoveryCodes(ctx);
  const mailId = newMailId();
  const consequences = factorChangeParts(ctx, actor, {
    change: sql`confirmed`,
    action: "totp.enabled",
    authMethods: sql`array_append(array_remove(auth_methods, 'otp'), 'otp')`,
    mailId,
  });
  const [, { rows }] = await writeOnce(ctx, set.id, [
    // A concurrent sign-in without the factor is either revoked here or fails.
    lockAccount(userId),
    ctx.db.execute<RevokedSessions>(sql`
      with confirmed as (
        update ${secondFactors} set confirmed_at = ${timestamp(ctx.now)}, last_used_step = ${step}
        where user_id = ${userId} and id = ${factor.id} and confirmed_at is null
        returning user_id
      ), stored as (
        ${storeRecoveryCodes(ctx, set.hashes, sql`confirmed`)}
      ), ${consequences}
      select array(select id from ended) as ended from confirmed`),
  ]);
  const [changed] = rows;
  if (!changed) throw new AppError("second_factor_changed");
  secondFactorChanged(ctx, userId, "totp.enabled", mailId);
  await deleteSessionKeys(ctx, changed.ended);
  if (role !== "user") await promote(ctx, sessionId, role);
  return { recoveryCodes: set.codes };
}

/**
 * For a confirmed factor also revokes the other sessions, ends an operator's role in this one, mails the owner; audited.
 * Idempotent. Throws `session_revoked`, `last_admin`, `service_unavailable`, and `reauth_required` unless the token proves a
 * confirmed factor.
 */
export async function removeSecondFactor(
  ctx: Context,
  actor: Actor,
  { authMethods }: AccessClaims,
): Promise<void> {
  const { userId, sessionId } = actor;
  const { role, factor } = await requireFactorAccount(ctx, userId);
  if (!factor) return;
  if (factor.confirmedAt === null) {
    const pending = and(eq(secondFactors.id, factor.id), isNull(secondFactors.confirmedAt));
    await writeOnce(ctx, factor.id, [
      ctx.db.delete(secondFactors).where(and(eq(secondFactors.userId, userId), pending)),
    ]);
    return;
  }
  // Once a factor is enrolled only the factor renews `auth_time`, so `otp` is as recent as the token.
  if (!authMethods.includes("otp")) throw new AppError("reauth_required");
  // Without a second factor an admin acts as a user.
  if (role === "admin" && !(await hasOtherAdmin(ctx, userId))) throw new AppError("last_admin");
  // Before the commit: Redis must never show a role that the session's row does not have.
  if (role !== "user") await demote(ctx, sessionId);
  const mailId = newMailId();
  const consequences = factorChangeParts(ctx, actor, {
    change: sql`removed`,
    action: "totp.disabled",
    authMethods: sql`array_remove(auth_methods, 'otp')`,
    mailId,
  });
  const [, { rows }] = await writeOnce(ctx, factor.id, [
    lockAccount(userId),
    ctx.db.execute<RevokedSessions>(sql`
      with removed as (
        delete from ${secondFactors}
        where user_id = ${userId} and id = ${factor.id}
        returning user_id
      ), ${consequences}
      select array(select id from ended) as ended from removed`),
  ]);
  const [changed] = rows;
  if (!changed) return;
  secondFactorChanged(ctx, userId, "totp.disabled", mailId);
  await deleteSessionKeys(ctx, changed.ended);
}

/** If Redis does not answer, the operator acts as a user until the next sign-in. */
async function promote(ctx: Context, sessionId: string, role: Role): Promise<void> {
  try {
    await changeSessionRole(ctx, sessionId, role);
  } catch (error) {
    redisUnavailable(ctx.correlationId, error);
  }
}

async function demote(ctx: Context, sessionId: string): Promise<void> {
  try {
    await changeSessionRole(ctx, sessionId, "user");
  } catch (cause) {
    throw new AppError("service_unavailable", { cause, retryAfterSeconds: 5 });
  }
}
