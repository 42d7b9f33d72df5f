import { eq, type SQL, sql } from "drizzle-orm";
import { auditIfAny } from "../../audit/audit.js";
import type { AuditAction } from "../../audit/audit-actions.js";
import { securityEvent } from "../../audit/security-events.js";
import type { Actor, Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { accountMailOf, queueAccountMail } from "../../mail/queue-mail.js";
import type { RevocationReason } from "../session/session.js";

/** `factor` may be unconfirmed; null without one. Throws `session_revoked` for a deleted account. */
export async function requireFactorAccount(ctx: Context, userId: string) {
  const [account] = await ctx.db
    .select({ email: users.email, role: users.role, factor: secondFactors })
    .from(users)
    .leftJoin(secondFactors, eq(secondFactors.userId, users.id))
    .where(eq(users.id, userId));
  if (!account) throw new AppError("session_revoked");
  return account;
}

export interface RevokedSessions extends Record<string, unknown> {
  ended: string[];
}

/** CTEs after the CTE `change`: set this session's `amr`, revoke the others (`ended`), queue the notice, write the audit row. */
export function factorChangeParts(
  ctx: Context,
  { userId, sessionId }: Actor,
  {
    change,
    action,
    authMethods,
    mailId,
  }: { change: SQL; action: AuditAction; authMethods: SQL; mailId: string },
): SQL {
  const reason: RevocationReason = "second_factor_changed";
  return sql`
    kept as (
      update ${sessions} set auth_methods = ${authMethods}
      where id = ${sessionId} and user_id in (select user_id from ${change})
    ), ended as (
      update ${sessions} set revoked_at = ${timestamp(ctx.now)}, revoked_reason = ${reason}
      where user_id in (select user_id from ${change}) and id <> ${sessionId} and revoked_at is null
      returning id
    ), noticed as (
      ${queueAccountMail(accountMailOf(ctx, mailId, "second_factor_changed"), change)}
    ), audited as (
      ${auditIfAny(ctx, { actor: { kind: "user", id: userId }, action, subjectId: userId }, change)}
    )`;
}

/** Call it after the commit: records the security event and sends the queued mail. */
export function secondFactorChanged(
  ctx: Context,
  userId: string,
  action: AuditAction,
  mailId: string,
): void {
  securityEvent(ctx, "second_factor_changed", { userId, data: { operation: action } });
  deliverLater(ctx, mailId);
}
