import { randomBytes } from "node:crypto";
import { and, desc, eq, getTableColumns, inArray, isNull, ne, type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { requiredRow } from "../../db/required-row.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { addressPrefix } from "../../ip-address.js";
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
export function lockAccount(ctx: Context, userId: string) {
  return ctx.db
    .select({ id: users.id })
    .from(users)
    .where(eq(users.id, userId))
    .for("no key update");
}

/** After `lockAccount`. Fails (`lacksRequiredRow`) when the account is suspended, blocked, pending deletion or not `unchanged`. */
export function insertSession(
  ctx: Context,
  row: SessionRow,
  unchanged: SQL,
  withParts: SQL[] = [],
) {
  const columns = Object.entries(getTableColumns(sessions)).map(([name, column]) => {
    const value = sql.param((row as Record<string, unknown>)[name] ?? null, column);
    const cast = sql`cast(${value} as ${sql.raw(column.getSQLType())})`;
    return { name: sql.identifier(column.name), value: name === "userId" ? sql`account.id` : cast };
  });
  const names = columns.map(({ name }) => sql`${name}`);
  const values = columns.map(({ value }) => value);
  const account = sql`account as (
      select id from ${users}
      where ${users.id} = ${row.userId} and ${users.suspendedAt} is null
        and ${users.purgeAt} is null and not ${isAccountBlocked} and ${unchanged}
    )`;
  return ctx.db.execute<{ knows_device: boolean; is_first: boolean }>(sql`
    with ${sql.join([...withParts, account], sql`, `)}, inserted as (
      insert into ${sessions} (${sql.join(names, sql`, `)})
      select ${sql.join(values, sql`, `)} from account
      returning id
    )
    select ${requiredRow(sql`inserted`)},
      exists (
        select 1 from ${sessions}
        where ${sessions.userId} = ${row.userId} and ${sessions.deviceId} = ${row.deviceId}
      ) as knows_device,
      not exists (select 1 from ${sessions} where ${sessions.userId} = ${row.userId}) as is_first`);
}

/** The oldest over `sessionsMax`. Returns their ids; delete the keys after the commit. */
export function revokeExcessSessions(ctx: Context, userId: string) {
  const excessSessions = ctx.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.userId, userId), isLiveSession(ctx)))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .offset(sessionsMax);
  return ctx.db
    .update(sessions)
    .set({ revokedAt: ctx.now, revokedReason: "too_many_sessions" satisfies RevocationReason })
    .where(and(inArray(sessions.id, excessSessions), isNull(sessions.revokedAt)))
    .returning({ id: sessions.id });
}

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
  | "account_merged";

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
