import { type SQL, sql } from "drizzle-orm";
import { type AuditEntry, auditIfAny } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { accountMailOf, newMailId, queueAccountMail } from "../../mail/queue-mail.js";
import { otherAdminExists } from "../other-admin.js";
import { secondFactorChanged } from "../second-factor/factor-change.js";
import { lockAccount, type RevocationReason } from "../session/session.js";
import { enforceRevocationsOf } from "../session/sweep-session-keys.js";
import { type Operator, requireAdmin } from "./operator.js";
import { lockRoles, revokeOperatorTokensOf } from "./role.js";
import type { SubjectAccount } from "./subject.js";

interface RequestedChange {
  reason: string;
  dryRun: boolean;
}

/** In a dry run `changed` is a prediction, and `sessionsEnded` is 0. Expired sessions count too. */
export interface AccountChangeResult {
  changed: boolean;
  sessionsEnded: number;
}

/**
 * Also revokes the account's sessions and operator tokens. Audited. Idempotent. Throws `last_admin`, `not_found`, and
 * `forbidden` when the account is an operator's or admin's and `operator` is not an admin.
 */
export async function suspend(
  ctx: Context,
  operator: Operator,
  subject: SubjectAccount,
  change: RequestedChange,
): Promise<AccountChangeResult> {
  const now = timestamp(ctx.now);
  const wouldLoseAdmin = isLastAdmin(subject.id);
  return changeAccount(ctx, operator, subject, change, {
    wouldChange: subject.suspendedAt === null,
    part: (isRoleUnchanged) => sql`
      update ${users} set suspended_at = ${now}, updated_at = ${now}
      where id = ${subject.id} and suspended_at is null and ${isRoleUnchanged}
        and not ${wouldLoseAdmin}
      returning id as user_id`,
    action: "user.suspended",
    ending: "suspended",
    alongside: sql`tokens as (${revokeOperatorTokensOf(ctx, sql`select user_id from changed`)})`,
    isBlocked: sql`(select suspended_at is null from ${users} where id = ${subject.id}) and ${wouldLoseAdmin}`,
  });
}

/** Audited. Idempotent. Throws `forbidden` as `suspend` does, `not_found`. */
export async function unsuspend(
  ctx: Context,
  operator: Operator,
  subject: SubjectAccount,
  change: RequestedChange,
): Promise<AccountChangeResult> {
  return changeAccount(ctx, operator, subject, change, {
    wouldChange: subject.suspendedAt !== null,
    part: (isRoleUnchanged) => sql`
      update ${users} set suspended_at = null, updated_at = ${timestamp(ctx.now)}
      where id = ${subject.id} and suspended_at is not null and ${isRoleUnchanged}
      returning id as user_id`,
    action: "user.unsuspended",
  });
}

/** For an owner who lost the device: also revokes all sessions, mails the owner. Audited. Idempotent. Throws as `suspend` does. */
export async function removeLostSecondFactor(
  ctx: Context,
  operator: Operator,
  subject: SubjectAccount,
  change: RequestedChange,
): Promise<AccountChangeResult> {
  const mailId = newMailId();
  const factor = sql`${secondFactors} where user_id = ${subject.id} and confirmed_at is not null`;
  const wouldLoseAdmin = isLastAdmin(subject.id);
  const outcome = await changeAccount(ctx, operator, subject, change, {
    wouldChange: subject.hasSecondFactor,
    part: (isRoleUnchanged) => sql`
      delete from ${factor} and ${isRoleUnchanged} and not ${wouldLoseAdmin} returning user_id`,
    action: "totp.disabled",
    ending: "second_factor_changed",
    alongside: sql`noticed as (
      ${queueAccountMail(accountMailOf(ctx, mailId, "second_factor_changed"), sql`changed`)}
    )`,
    // Without a second factor an admin acts as a user.
    isBlocked: sql`exists (select 1 from ${factor}) and ${wouldLoseAdmin}`,
  });
  if (outcome.changed && !change.dryRun) {
    secondFactorChanged(ctx, subject.id, "totp.disabled", mailId);
  }
  return outcome;
}

const isLastAdmin = (id: string): SQL => sql`(
  (select role = 'admin' from ${users} where id = ${id}) and not ${otherAdminExists(id)})`;

interface AccountChange {
  wouldChange: boolean;
  /** Returns the `user_id` of the changed account. `isRoleUnchanged`: since the subject was read. */
  part: (isRoleUnchanged: SQL) => SQL;
  action: AuditEntry["action"];
  ending?: RevocationReason;
  alongside?: SQL;
  /** True when the last admin would be lost. */
  isBlocked?: SQL;
}

async function changeAccount(
  ctx: Context,
  operator: Operator,
  subject: SubjectAccount,
  { reason, dryRun }: RequestedChange,
  { wouldChange, part, action, ending, alongside, isBlocked = sql`false` }: AccountChange,
): Promise<AccountChangeResult> {
  // Otherwise an operator could remove an admin's second factor.
  if (subject.role !== "user") requireAdmin(ctx, operator);
  const actor = { kind: "operator", id: operator.id } as const;
  const entry = { actor, action, subjectId: subject.id, reason };
  const isRoleUnchanged = sql`exists (
    select 1 from ${users} as judged where judged.id = ${subject.id} and judged.role = ${subject.role})`;
  const endedParts = ending
    ? sql`
      update ${sessions} set revoked_at = ${timestamp(ctx.now)}, revoked_reason = ${ending}
      where user_id in (select user_id from changed) and revoked_at is null
      returning id`
    : sql`select id from ${sessions} where false`;
  const parts = [
    sql`changed as (${dryRun ? sql`select id as user_id from ${users} where false` : part(isRoleUnchanged)})`,
    sql`ended as (${endedParts})`,
    sql`audited as (${auditIfAny(ctx, entry, sql`changed`)})`,
    ...(alongside ? [alongside] : []),
  ];
  const [, , { rows }] = await ctx.db.batch([
    lockRoles(ctx),
    lockAccount(subject.id),
    ctx.db.execute<{ changed: boolean; blocked: boolean; ended: string[]; role: string }>(sql`
      with ${sql.join(parts, sql`, `)}
      select role, exists (select 1 from changed) as changed, ${isBlocked} as blocked,
        array(select id from ended) as ended
      from ${users} where id = ${subject.id}`),
  ]);
  const [found] = rows;
  if (!found) throw new AppError("not_found");
  if (found.blocked) throw new AppError("last_admin");
  if (ending && !dryRun) await enforceRevocationsOf(ctx, subject.id);
  return { changed: dryRun ? wouldChange : found.changed, sessionsEnded: found.ended.length };
}
