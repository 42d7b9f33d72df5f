import { eq, sql } from "drizzle-orm";
import type { Actor, Context, Role } from "../../context.js";
import { prepared } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";
import { roundTrip } from "../../redis/client.js";
import { type Answer, orNull, type RoundTrip } from "../../redis/round-trip.js";
import type { AccessClaims } from "../token/access-token.js";
import { revokeSession } from "./session.js";
import {
  actingRole,
  deleteSessionKeys,
  sessionKey,
  sessionMarkerKey,
  writeSessionKey,
} from "./session-keys.js";
import { requireLiveStatus, sessionStatusColumns } from "./session-status.js";

/** Times are in ms. */
export interface CachedSession {
  userId: string;
  role: Role;
  createdAt: number;
  expiresAt: number | null;
}

export interface SessionLookup {
  session: CachedSession | null;
  /** In ms; null when Redis has lost it. */
  revokeAllBefore: number | null;
}

/** Null without a valid key. */
export function readCachedSession(trip: RoundTrip, id: string): Answer<CachedSession | null> {
  const fields = trip.ask<(string | null)[]>(
    "HMGET",
    sessionKey(id),
    "user",
    "role",
    "created",
    "expires",
  );
  return () => {
    const [userId, role, created, expires] = fields();
    if (!userId || !isRole(role)) return null;
    return {
      userId,
      role,
      createdAt: Number(created),
      expiresAt: expires ? Number(expires) : null,
    };
  };
}

/**
 * Decided by the key in Redis, else by the row in Postgres (docs/decisions/004): a lost key is written again, a deleted one
 * revokes the session. `answer` is null when Redis is down. Throws `session_revoked`, `session_expired`, `token_invalid`.
 */
export async function requireLiveSession(
  ctx: Context,
  claims: AccessClaims,
  answer: SessionLookup | null,
): Promise<Actor> {
  const { sessionId } = claims;
  if (!answer) return (await recordOfLiveSession(ctx, claims)).actor;
  const { session, revokeAllBefore } = answer;
  if (!session) return decideByRecord(ctx, claims);
  if (revokeAllBefore === null) return (await recordOfLiveSession(ctx, claims)).actor;
  if (session.userId !== claims.userId) throw new AppError("token_invalid");
  if (session.createdAt < revokeAllBefore) throw new AppError("session_revoked");
  if (session.expiresAt !== null && session.expiresAt <= ctx.now.getTime()) {
    throw new AppError("session_expired");
  }
  return { userId: session.userId, sessionId, role: session.role };
}

async function decideByRecord(ctx: Context, claims: AccessClaims): Promise<Actor> {
  const { record, actor } = await recordOfLiveSession(ctx, claims);
  const trip = roundTrip(ctx);
  const keyState = readKeyState(trip, record.id);
  await trip.send();
  const state = keyState();
  if (state === "deleted") {
    await revokeSession(ctx, record.id, "redis_key_deleted");
    throw new AppError("session_revoked");
  }
  if (state === "lost") await writeBack(ctx, claims, record, actor);
  return actor;
}

export type KeyState = "present" | "deleted" | "lost" | "unknown";

/** Both keys expire together: when only one exists, the other was deleted. Never throws. */
export function readKeyState(trip: RoundTrip, id: string): Answer<KeyState> {
  const count = trip.ask<number>("EXISTS", sessionKey(id), sessionMarkerKey(id));
  return () => (["lost", "deleted", "present"] as const)[orNull(count) ?? -1] ?? "unknown";
}

/** Throws `session_revoked` when the session was revoked since. */
async function writeBack(
  ctx: Context,
  claims: AccessClaims,
  record: SessionRecord,
  { role }: Actor,
): Promise<void> {
  const trip = roundTrip(ctx);
  // Also after a failed write, which may have happened: check the row again.
  await Promise.allSettled([writeSessionKey(trip, { ...record, role }, ctx.now), trip.send()]);
  try {
    await recordOfLiveSession(ctx, claims);
  } catch (error) {
    // An unavailable Postgres must not end the session.
    if (error instanceof AppError) await deleteSessionKeys(ctx, [record.id]);
    throw error;
  }
}

async function recordOfLiveSession(ctx: Context, { userId, sessionId }: AccessClaims) {
  const [found] = await byId(ctx.db).execute({ id: sessionId });
  if (!found || found.session.revokedAt) throw new AppError("session_revoked");
  const { session: record, role } = found;
  if (record.userId !== userId) throw new AppError("token_invalid");
  requireLiveStatus(ctx, { ...record, ...found });
  const actor: Actor = { userId, sessionId, role: actingRole(role, record.authMethods) };
  return { record, actor };
}

type SessionRecord = typeof sessions.$inferSelect;

const byId = prepared((db) =>
  db
    .select({
      session: sessions,
      role: users.role,
      isClosed: sessionStatusColumns.isClosed,
      revokeAllBefore: sessionStatusColumns.revokeAllBefore,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare("session_by_id"),
);

function isRole(value: string | null | undefined): value is Role {
  return value === "user" || value === "operator" || value === "admin";
}
