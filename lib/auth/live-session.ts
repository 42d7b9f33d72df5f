import { and, eq, isNull, sql } from "drizzle-orm";
import type { Actor, Context, Role } from "../context.js";
import { prepared } from "../db/database.js";
import { sessions, users } from "../db/schema.js";
import { AppError } from "../errors.js";
import { roundTrip } from "../redis/client.js";
import { readGeneration } from "../redis/gate.js";
import type { RoundTrip } from "../redis/round-trip.js";
import type { AccessClaims } from "./access-token.js";
import { deleteSessionKey, revokeSession, sessionKey, writeSessionKey } from "./session.js";

/** What Redis says of a session. `generation` is null when Redis has lost its data. */
export interface SessionAnswer {
  generation: string | null;
  session: { userId: string; role: Role; expiresAt: number | null } | null;
}

/** Ask for a session within `trip`; null when it has no key. Rejects when Redis cannot answer. */
export async function readSession(trip: RoundTrip, id: string): Promise<SessionAnswer["session"]> {
  const [userId, role, expires] = await trip.hashFields(sessionKey(id), "user", "role", "expires");
  if (!userId || !isRole(role)) return null;
  return { userId, role, expiresAt: expires ? Number(expires) : null };
}

/**
 * Who is calling, or `session_revoked` / `session_expired`.
 *
 * With the gate open, the key decides: absent means that somebody ended the session. With the gate
 * shut, or Redis away (`answer` null), the record in Postgres decides alone, so that lost keys sign
 * nobody out.
 */
export async function requireLiveSession(
  ctx: Context,
  claims: AccessClaims,
  answer: SessionAnswer | null,
): Promise<Actor> {
  const { sessionId } = claims;
  if (!answer || answer.generation === null) return (await recordOfLiveSession(ctx, claims)).actor;
  const { session, generation } = answer;
  if (!session) return returnToRedis(ctx, claims, generation);
  if (session.userId !== claims.userId) throw new AppError("token_invalid");
  if (session.expiresAt !== null && session.expiresAt <= ctx.now.getTime()) {
    throw new AppError("session_expired");
  }
  return { userId: session.userId, sessionId, role: session.role };
}

/**
 * The key is missing from a Redis that should have it. Under the generation that wrote it, it was
 * deleted, and the session ends; under another it was lost, and is written back.
 */
async function returnToRedis(
  ctx: Context,
  claims: AccessClaims,
  generation: string,
): Promise<Actor> {
  const { record, actor } = await recordOfLiveSession(ctx, claims);
  if (record.redisGeneration !== generation) {
    await writeBack(ctx, record, actor, generation);
    return actor;
  }
  // Another request may have written the key back just now: it does so before it marks the record. And
  // Redis may have been flushed just now: then the gate tells.
  if (!(await isDeleted(record.id, generation))) return actor;
  await revokeSession(ctx, record.id, "redis_key_deleted");
  throw new AppError("session_revoked");
}

/** Throws `session_revoked` when the session was ended in between: the key must not outlive it. */
async function writeBack(
  ctx: Context,
  record: SessionRecord,
  { role }: Actor,
  generation: string,
): Promise<void> {
  const trip = roundTrip();
  const key = { ...record, device: record.deviceId, role };
  const written = writeSessionKey(trip, record.id, key, record.idleExpiresAt);
  const [outcome] = await Promise.allSettled([written, trip.send()]);
  // A write whose reply was lost may have happened: the record is asked once more in either case, and is
  // marked only when the write is certain.
  const isWritten = outcome.status === "fulfilled";
  const live = await ctx.db
    .update(sessions)
    .set({ redisGeneration: isWritten ? generation : null })
    .where(and(eq(sessions.id, record.id), isNull(sessions.revokedAt)))
    .returning({ id: sessions.id });
  if (live.length > 0) return;
  await deleteSessionKey(ctx, record.id);
  throw new AppError("session_revoked");
}

/** Only a Redis that answers, and that is still of this generation, can say that a key was deleted. */
async function isDeleted(id: string, generation: string): Promise<boolean> {
  const trip = roundTrip();
  const [session, current] = await Promise.allSettled([
    readSession(trip, id),
    readGeneration(trip),
    trip.send(),
  ]);
  const isAbsent = session.status === "fulfilled" && session.value === null;
  return isAbsent && current.status === "fulfilled" && current.value === generation;
}

async function recordOfLiveSession(ctx: Context, { userId, sessionId }: AccessClaims) {
  const [found] = await byId(ctx.db).execute({ id: sessionId });
  if (!found || found.session.revokedAt) throw new AppError("session_revoked");
  const { session: record, role } = found;
  if (record.userId !== userId) throw new AppError("token_invalid");
  const expired = [record.idleExpiresAt, record.expiresAt].some((end) => end && end <= ctx.now);
  if (expired) throw new AppError("session_expired");
  return { record, actor: { userId, sessionId, role } satisfies Actor };
}

type SessionRecord = typeof sessions.$inferSelect;

const byId = prepared((db) =>
  db
    .select({ session: sessions, role: users.role })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare("session_by_id"),
);

function isRole(value: string | null | undefined): value is Role {
  return value === "user" || value === "operator" || value === "admin";
}
