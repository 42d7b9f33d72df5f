import { randomBytes } from "node:crypto";
import { and, eq, getTableColumns, isNull, ne, type SQL, sql } from "drizzle-orm";
import type { Context, Role } from "../../context.js";
import { preparedBatchSql } from "../../db/database.js";
import { requiredRow } from "../../db/required-row.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { addressPrefix } from "../../ip-address.js";
import { memoizeByObject } from "../../memoize-by-object.js";
import { isAccountBlocked } from "../account-block.js";
import type { Device } from "./device.js";
import { absoluteExpiry, idleTimeoutMs } from "./lifetime.js";
import { deleteSessionKeys } from "./session-keys.js";
import { isLiveSession } from "./session-status.js";

export interface NewSession {
  id: string;
  userId: string;
  isGuest: boolean;
  device: Device | undefined;
  country: string | undefined;
  authMethods: string[];
}

/** A new session over this limit revokes the oldest. */
export const sessionsMax = 10;

/** 128 random bits in base64url: 22 characters. */
export function newSessionId(): string {
  return randomBytes(16).toString("base64url");
}

export function sessionRow(ctx: Context, session: NewSession) {
  return {
    id: session.id,
    userId: session.userId,
    deviceId: session.device?.id ?? null,
    deviceName: session.device?.name ?? null,
    devicePlatform: session.device?.platform ?? null,
    appVersion: session.device?.appVersion ?? null,
    ipPrefix: addressPrefix(ctx.address),
    country: session.country ?? null,
    authMethods: session.authMethods,
    authenticatedAt: ctx.now,
    createdAt: ctx.now,
    lastSeenAt: ctx.now,
    refreshCounter: 0,
    idleExpiresAt: new Date(ctx.now.getTime() + idleTimeoutMs(session.isGuest)),
    expiresAt: absoluteExpiry(session.isGuest, ctx.now),
  } satisfies typeof sessions.$inferInsert;
}

export type SessionRow = ReturnType<typeof sessionRow>;

/** Later statements of the batch see what the previous lock holder committed. */
export function lockAccount(userId: string) {
  return lockById({ userId });
}

const lockById = preparedBatchSql(
  () => sql`select 1 from ${users} where ${users.id} = ${sql.placeholder("userId")}
    for no key update`,
);

/** What must still be true of the account. A constant: the SQL is built once, so values are placeholders. */
export interface AccountCondition {
  unchanged: SQL;
  /** CTEs that `unchanged` refers to. */
  withParts?: SQL[];
}

export interface ConditionMet {
  condition: AccountCondition;
  values: Record<string, unknown>;
}

/** After `lockAccount`. Fails (`lacksRequiredRow`) when the account is suspended, blocked, pending deletion or not `unchanged`. */
export function insertSession(row: SessionRow, role: Role, { condition, values }: ConditionMet) {
  return insertIf(condition)({ ...driverValues(row), role, ...values });
}

const sessionColumns = Object.entries(getTableColumns(sessions));

function driverValues(row: SessionRow): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, column] of sessionColumns) {
    const value = (row as Record<string, unknown>)[name] ?? null;
    values[name] = value === null ? null : column.mapToDriverValue(value);
  }
  return values;
}

/** The first session of an account that the same batch inserts. */
export function insertFirstSession(row: SessionRow) {
  return insertUnconditionally(driverValues(row));
}

const columnNames = () =>
  sql.join(
    sessionColumns.map(([, column]) => sql.identifier(column.name)),
    sql`, `,
  );

const castValue = ([name, column]: (typeof sessionColumns)[number]) =>
  sql`cast(${sql.placeholder(name)} as ${sql.raw(column.getSQLType())})`;

const insertUnconditionally = preparedBatchSql(
  () => sql`insert into ${sessions} (${columnNames()})
    values (${sql.join(sessionColumns.map(castValue), sql`, `)})`,
);

const insertIf = memoizeByObject(({ unchanged, withParts = [] }: AccountCondition) =>
  preparedBatchSql<{ knows_device: boolean; is_first: boolean }>(() => {
    const userId = sql.placeholder("userId");
    const values = sessionColumns.map((entry) =>
      entry[0] === "userId" ? sql`account.id` : castValue(entry),
    );
    const account = sql`account as (
      select id from ${users}
      where ${users.id} = ${userId} and ${users.role} = ${sql.placeholder("role")}
        and ${users.suspendedAt} is null and ${users.purgeAt} is null
        and not ${isAccountBlocked} and ${unchanged}
    )`;
    return sql`
      with ${sql.join([...withParts, account], sql`, `)}, inserted as (
        insert into ${sessions} (${columnNames()})
        select ${sql.join(values, sql`, `)} from account
        returning id
      )
      select ${requiredRow(sql`inserted`)},
        exists (
          select 1 from ${sessions}
          where ${sessions.userId} = ${userId} and ${sessions.deviceId} = ${sql.placeholder("deviceId")}
        ) as knows_device,
        not exists (select 1 from ${sessions} where ${sessions.userId} = ${userId}) as is_first`;
  }),
);

/** The oldest over `sessionsMax`. Returns their ids; delete the keys after the commit. */
export function revokeExcessSessions({ now }: Context, userId: string) {
  return revokeExcess({ userId, now: now.toISOString() });
}

const revokeExcess = preparedBatchSql<{ id: string }>(() => {
  const now = sql`cast(${sql.placeholder("now")} as timestamptz)`;
  const reason = "too_many_sessions" satisfies RevocationReason;
  return sql`
    update ${sessions} set revoked_at = ${now}, revoked_reason = ${sql.raw(`'${reason}'`)}
    where ${sessions.revokedAt} is null and ${sessions.id} in (
      select ${sessions.id} from ${sessions}
      where ${sessions.userId} = ${sql.placeholder("userId")} and ${isLiveSession({ now })}
      order by ${sessions.createdAt} desc, ${sessions.id} desc
      offset ${sql.raw(String(sessionsMax))}
    )
    returning id`;
});

export type RevocationReason =
  | "logged_out"
  | "redis_key_deleted"
  | "revoked_by_owner"
  | "token_reuse"
  | "too_many_sessions"
  | "password_changed"
  | "password_reset"
  | "email_changed"
  | "second_factor_changed"
  | "role_changed"
  | "revoked_by_operator"
  | "suspended"
  | "account_blocked"
  | "account_upgraded"
  | "account_merged"
  | "deletion_requested";

/** Returns the ids of the sessions revoked now, also expired ones; delete their keys after the commit. */
export function revokeSessions(
  ctx: Context,
  which: { id: string; userId?: string } | { userId: string; except?: string },
  reason: RevocationReason,
  onlyIf?: SQL,
) {
  const chosen =
    "id" in which
      ? and(
          eq(sessions.id, which.id),
          which.userId === undefined ? undefined : eq(sessions.userId, which.userId),
        )
      : and(
          eq(sessions.userId, which.userId),
          which.except === undefined ? undefined : ne(sessions.id, which.except),
        );
  return ctx.db
    .update(sessions)
    .set({ revokedAt: ctx.now, revokedReason: reason })
    .where(and(chosen, isNull(sessions.revokedAt), onlyIf))
    .returning({ id: sessions.id });
}

export async function revokeSession(
  ctx: Context,
  id: string,
  reason: RevocationReason,
): Promise<void> {
  await revokeSessions(ctx, { id }, reason);
  await deleteSessionKeys(ctx, [id]);
}
