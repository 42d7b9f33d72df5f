import { eq, sql } from "drizzle-orm";
import type { Actor, Context, Role } from "../../context.js";
import { prepared } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { AppError } from "../../errors.js";
import { roundTrip } from "../../redis/client.js";
import type { RoundTrip } from "../../redis/round-trip.js";
import type { AccessClaims } from "../token/access-token.js";
import { liveness, requireLive } from "./live-record.js";
import { revokeSession } from "./session.js";
import {
  actingRole,
  deleteSessionKeys,
  knownSessionKey,
  sessionKey,
  writeSessionKey,
} from "./session-keys.js";

/** What a session's key holds, in ms where it is a moment. */
export interface KeptSession {
  userId: string;
  role: Role;
  createdAt: number;
  expiresAt: number | null;
}

/** What Redis says of a session; each null when Redis has none of it. */
export interface SessionAnswer {
  session: KeptSession | null;
  revokeAllBefore: number | null;
}

/** Ask for a session within `trip`; null when it has no key. Rejects when Redis cannot answer. */
export async function readSession(trip: RoundTrip, id: string): Promise<KeptSession | null> {
  const fields = await trip.hashFields(sessionKey(id), "user", "role", "created", "expires");
  const [userId, role, created, expires] = fields;
  if (!userId || !isRole(role)) return null;
  return { userId, role, createdAt: Number(created), expiresAt: expires ? Number(expires) : null };
}

/**
 * Who is calling, or `session_revoked` / `session_expired`.
 *
 * A key that is there decides. One that is missing was deleted by somebody, which ends the session, or
 * was lost with Redis: then, and when Redis is away (`answer` null), the record in Postgres decides
 * alone, so that lost keys sign nobody out. So it does when Redis has lost the moment that ends all
 * sessions, so that this brings nobody back.
 */
export async function requireLiveSession(
  ctx: Context,
  claims: AccessClaims,
  answer: SessionAnswer | null,
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
  const [state] = await Promise.all([readKeyState(trip, record.id), trip.send()]);
  if (state === "deleted") {
    await revokeSession(ctx, record.id, "redis_key_deleted");
    throw new AppError("session_revoked");
  }
  if (state === "lost") await writeBack(ctx, claims, record, actor);
  return actor;
}

/** What Redis holds of a session's two keys; `unknown` when it does not answer. */
export type KeyState = "present" | "deleted" | "lost" | "unknown";

/**
 * Ask for it within `trip`. Both keys are written in one moment and expire in one: of one alone, the
 * other was deleted. Never rejects.
 */
export async function readKeyState(trip: RoundTrip, id: string): Promise<KeyState> {
  try {
    const count = await trip.countPresent(sessionKey(id), knownSessionKey(id));
    return (["lost", "deleted", "present"] as const)[count] ?? "unknown";
  } catch {
    return "unknown";
  }
}

/** Throws `session_revoked` when the session was ended in between: the key must not outlive it. */
async function writeBack(
  ctx: Context,
  claims: AccessClaims,
  record: SessionRecord,
  { role }: Actor,
): Promise<void> {
  const trip = roundTrip(ctx);
  // A write whose reply was lost may have happened: the record is asked once more in either case.
  await Promise.allSettled([writeSessionKey(trip, { ...record, role }, ctx.now), trip.send()]);
  try {
    await recordOfLiveSession(ctx, claims);
  } catch (error) {
    // Postgres being away says nothing of the session, and must not end it.
    if (error instanceof AppError) await deleteSessionKeys(ctx, [record.id]);
    throw error;
  }
}

async function recordOfLiveSession(ctx: Context, { userId, sessionId }: AccessClaims) {
  const [found] = await byId(ctx.db).execute({ id: sessionId });
  if (!found || found.session.revokedAt) throw new AppError("session_revoked");
  const { session: record, role } = found;
  if (record.userId !== userId) throw new AppError("token_invalid");
  requireLive(ctx, { ...record, ...found });
  const actor: Actor = { userId, sessionId, role: actingRole(role, record.authMethods) };
  return { record, actor };
}

type SessionRecord = typeof sessions.$inferSelect;

const byId = prepared((db) =>
  db
    .select({
      session: sessions,
      role: users.role,
      isClosed: liveness.isClosed,
      revokeAllBefore: liveness.revokeAllBefore,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare("session_by_id"),
);

function isRole(value: string | null | undefined): value is Role {
  return value === "user" || value === "operator" || value === "admin";
}
