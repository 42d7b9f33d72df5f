import { desc, eq, getTableColumns } from "drizzle-orm";
import * as z from "zod";
import { readCachedSession } from "../auth/session/live-session.js";
import { actingRole } from "../auth/session/session-keys.js";
import { sessionStatusColumns } from "../auth/session/session-status.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { roundTrip } from "../redis/client.js";

/** A session without token material and without the full IP address. */
export const SessionSummary = z.strictObject({
  id: z.string(),
  userId: z.string(),
  state: z.enum(["live", "revoked", "expired", "account_closed"]),
  revokedReason: z.string().nullable(),
  role: z.enum(["user", "operator", "admin"]),
  authMethods: z.array(z.string()),
  deviceName: z.string().nullable(),
  platform: z.string().nullable(),
  appVersion: z.string().nullable(),
  ipPrefix: z.string().nullable(),
  country: z.string().nullable(),
  createdAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
});
export type SessionSummary = z.infer<typeof SessionSummary>;

export const SessionDetails = z.strictObject({
  ...SessionSummary.shape,
  /** The session's key in Redis. Deleting it ends the session; one that Redis has lost is restored from Postgres. */
  key: z.enum(["present", "missing", "unknown"]),
  keyRole: z.string().nullable(),
});
export type SessionDetails = z.infer<typeof SessionDetails>;

const listedMax = 50;

/** An account's 50 newest sessions, ended ones included. */
export async function listSessionsOf(ctx: Context, userId: string): Promise<SessionSummary[]> {
  const rows = await withAccount(ctx)
    .where(eq(sessions.userId, userId))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(listedMax);
  return rows.map((row) => presentSession(row, ctx.now));
}

/** Throws `not_found`. */
export async function getSessionDetails(ctx: Context, id: string): Promise<SessionDetails> {
  const [[row], key] = await Promise.all([withAccount(ctx).where(eq(sessions.id, id)), keyOf(id)]);
  if (!row) throw new AppError("not_found");
  return { ...presentSession(row, ctx.now), ...key };
}

async function keyOf(id: string): Promise<Pick<SessionDetails, "key" | "keyRole">> {
  try {
    const trip = roundTrip();
    const cached = readCachedSession(trip, id);
    await trip.send();
    const session = cached();
    return { key: session ? "present" : "missing", keyRole: session?.role ?? null };
  } catch {
    return { key: "unknown", keyRole: null };
  }
}

function withAccount({ db }: Context) {
  return db
    .select({
      ...getTableColumns(sessions),
      role: users.role,
      isClosed: sessionStatusColumns.isClosed,
      revokeAllBefore: sessionStatusColumns.revokeAllBefore,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId));
}

type Row = Awaited<ReturnType<typeof withAccount>>[number];

function presentSession(row: Row, now: Date): SessionSummary {
  return {
    id: row.id,
    userId: row.userId,
    state: stateOf(row, now),
    revokedReason:
      row.revokedReason ?? (row.createdAt < row.revokeAllBefore ? "everybody_revoked" : null),
    role: actingRole(row.role, row.authMethods),
    authMethods: row.authMethods,
    deviceName: row.deviceName,
    platform: row.devicePlatform,
    appVersion: row.appVersion,
    ipPrefix: row.ipPrefix,
    country: row.country,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
  };
}

function stateOf(row: Row, now: Date): SessionSummary["state"] {
  if (row.revokedAt || row.createdAt < row.revokeAllBefore) return "revoked";
  if (row.isClosed) return "account_closed";
  return [row.idleExpiresAt, row.expiresAt].some((end) => end && end <= now) ? "expired" : "live";
}
