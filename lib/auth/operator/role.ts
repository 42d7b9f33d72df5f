import { asc, ne, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import type { Context, Role } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { securitySettings } from "../../db/schema/gate.js";
import { operatorTokens } from "../../db/schema/operators.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { isPersonBlocked } from "../account-block.js";
import { otherAdminExists } from "../other-admin.js";
import { confirmedSecret } from "../second-factor/second-factor.js";
import { lockAccount, type RevocationReason } from "../session/session.js";
import { enforceRevocationsOf } from "../session/sweep-session-keys.js";
import { type Operator, requireAdmin } from "./operator.js";
import { maskedEmail, type SubjectAccount } from "./subject.js";

export const OperatorAccount = z.strictObject({
  id: z.uuid(),
  email: z.string().nullable(),
  name: z.string(),
  role: z.enum(["operator", "admin"]),
  /** Without a second factor an operator acts as a user. */
  secondFactor: z.boolean(),
  suspended: z.boolean(),
});
export type OperatorAccount = z.infer<typeof OperatorAccount>;

interface RoleChange {
  role: Role;
  reason: string;
  dryRun: boolean;
}

/** In a dry run both are predictions. Expired sessions count too. */
export interface RoleChangeResult {
  changed: boolean;
  sessionsEnded: number;
}

/**
 * Also revokes the account's sessions and operator tokens. Audited. The break-glass token may only make the first operator.
 * Throws `forbidden`, `operators_exist`, `account_unfit`, `last_admin`, `not_found`.
 */
export async function changeRole(
  ctx: Context,
  operator: Operator,
  subject: SubjectAccount,
  { role, reason, dryRun }: RoleChange,
): Promise<RoleChangeResult> {
  if (operator.kind !== "break_glass") requireAdmin(ctx, operator);
  const { id } = subject;
  const entry = {
    actor: { kind: "operator", id: operator.id },
    action: role === "user" ? "role.revoked" : "role.granted",
    subjectId: id,
    reason,
  } as const;
  const ending: RevocationReason = "role_changed";
  const roleChecks = sql`role_checks as (
      select id, role, ${isAuthorised(operator)} as may_decide,
        (${role} = 'user' or (email is not null and suspended_at is null and purge_at is null)) as is_fit,
        (role <> 'admin' or ${role} = 'admin' or ${otherAdminExists(id)}) as leaves_an_admin
      from ${users} where id = ${id}
    )`;
  const changes = sql`changed as (
      update ${users} set role = ${role}, updated_at = ${timestamp(ctx.now)}
      where id in (select id from role_checks where may_decide and is_fit and leaves_an_admin and role <> ${role})
      returning id
    ), ended as (
      update ${sessions} set revoked_at = ${timestamp(ctx.now)}, revoked_reason = ${ending}
      where user_id in (select id from changed) and revoked_at is null
      returning id
    ), tokens as (
      ${revokeOperatorTokensOf(ctx, sql`select id from changed`)}
    ), audited as (
      ${auditIfAny(ctx, entry, sql`changed`)}
    )`;
  const noChanges = sql`ended as (
      select id from ${sessions}
      where user_id in (select id from role_checks where role <> ${role}) and revoked_at is null
    )`;
  const [, , { rows }] = await ctx.db.batch([
    lockRoles(ctx),
    lockAccount(id),
    ctx.db.execute<RoleChecks>(sql`
      with ${roleChecks}, ${dryRun ? noChanges : changes}
      select role, may_decide, is_fit, leaves_an_admin, array(select id from ended) as ended
      from role_checks`),
  ]);
  const [found] = rows;
  if (!found) throw new AppError("not_found");
  if (!found.may_decide) {
    throw new AppError(operator.kind === "break_glass" ? "operators_exist" : "forbidden");
  }
  if (!found.is_fit) throw new AppError("account_unfit");
  if (!found.leaves_an_admin) throw new AppError("last_admin");
  if (!dryRun) await enforceRevocationsOf(ctx, id);
  return { changed: found.role !== role, sessionsEnded: found.ended.length };
}

interface RoleChecks extends Record<string, unknown> {
  role: Role;
  may_decide: boolean;
  is_fit: boolean;
  leaves_an_admin: boolean;
  ended: string[];
}

/** Serialises role changes: two admins who revoke each other's role must not leave none. */
export function lockRoles({ db }: Context) {
  return db.select({ id: securitySettings.id }).from(securitySettings).for("update");
}

export const revokeOperatorTokensOf = (ctx: Context, makers: SQL): SQL => sql`
  update ${operatorTokens} set revoked_at = ${timestamp(ctx.now)}
  where created_by in (${makers}) and revoked_at is null`;

/** Checked inside the statement: a role may have been revoked since the request began. */
function isAuthorised({ kind, id }: Operator): SQL {
  return kind === "break_glass"
    ? sql`not exists (select 1 from ${users} as other where other.role <> 'user')`
    : isActiveAdmin(id);
}

const isActiveAdmin = (id: string): SQL => sql`exists (
  select 1 from ${users} as decider
  where decider.id = ${id} and decider.role = 'admin' and decider.suspended_at is null
    and not ${isPersonBlocked(sql`decider.id`)})`;

/** Fails its batch (`lacksRequiredRow`) unless the operator is an active admin or the subject's role is `user`. */
export function requireCurrentAuthority(
  { db }: Context,
  { kind, id }: Operator,
  subjectId?: string,
) {
  const isAdmin = kind === "person" ? isActiveAdmin(id) : sql`false`;
  const isOfUser = subjectId
    ? sql`(select role = 'user' from ${users} where id = ${subjectId})`
    : sql`false`;
  return db.execute(sql`
    with decider as (select 1 where ${isAdmin} or ${isOfUser})
    select ${requiredRow(sql`decider`)}`);
}

const resultsMax = 500;

/** At most 500; addresses are masked. */
export async function listOperators({ db }: Context): Promise<OperatorAccount[]> {
  const rows = await db
    .select({
      id: users.id,
      email: users.email,
      name: users.name,
      role: users.role,
      suspendedAt: users.suspendedAt,
      sealedSecret: confirmedSecret,
    })
    .from(users)
    .where(ne(users.role, "user"))
    .orderBy(asc(users.role), asc(users.createdAt))
    .limit(resultsMax);
  return rows.map(({ id, email, name, role, suspendedAt, sealedSecret }) => ({
    id,
    email: maskedEmail(email),
    name,
    role: role as "operator" | "admin",
    secondFactor: sealedSecret !== null,
    suspended: suspendedAt !== null,
  }));
}
