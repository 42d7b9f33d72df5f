import { randomBytes } from "node:crypto";
import { and, eq, isNull } from "drizzle-orm";
import type { Context, Role } from "../context.js";
import { sessions } from "../db/schema.js";
import { addressPrefix } from "../ip-address.js";
import { errorFields, log } from "../observability/logger.js";
import { redis } from "../redis/client.js";
import type { RoundTrip } from "../redis/round-trip.js";
import type { Device } from "./device.js";

/** One sign-in on one device. */
export interface NewSession {
  id: string;
  userId: string;
  role: Role;
  device: Device | undefined;
  address: string | undefined;
  authMethods: string[];
  /** The gate's generation, or null when Redis did not tell: then the key is written at first use. */
  redisGeneration: string | null;
}

export const idleDays = 30;
const absoluteDays = 180;
const dayMs = 86_400_000;

/** 128 random bits, base64url: 22 characters. */
export function newSessionId(): string {
  return randomBytes(16).toString("base64url");
}

/** The key whose presence makes a session live; `redis-cli DEL session:<id>` ends it. */
export const sessionKey = (id: string) => `session:${id}`;

/** The session's record, to be inserted together with whatever else the sign-in changes. */
export function sessionRow(ctx: Context, session: NewSession): typeof sessions.$inferInsert {
  return {
    id: session.id,
    userId: session.userId,
    deviceId: session.device?.id ?? null,
    deviceName: session.device?.name ?? null,
    devicePlatform: session.device?.platform ?? null,
    appVersion: session.device?.appVersion ?? null,
    ipPrefix: addressPrefix(session.address),
    authMethods: session.authMethods,
    authenticatedAt: ctx.now,
    redisGeneration: session.redisGeneration,
    createdAt: ctx.now,
    lastSeenAt: ctx.now,
    idleExpiresAt: new Date(ctx.now.getTime() + idleDays * dayMs),
    expiresAt: new Date(ctx.now.getTime() + absoluteDays * dayMs),
  };
}

/** What the key holds of a session, all as text. */
export interface SessionHash {
  userId: string;
  role: Role;
  device: string | null;
  createdAt: Date;
  expiresAt: Date | null;
  authenticatedAt: Date;
  authMethods: string[];
}

/** Write the key of a live session, for as long as it may be idle. Writing it twice is harmless. */
export function writeSessionKey(
  trip: RoundTrip,
  id: string,
  session: SessionHash,
  idleExpiresAt: Date,
): Promise<void> {
  const fields = {
    user: session.userId,
    role: session.role,
    device: session.device ?? "",
    created: String(session.createdAt.getTime()),
    expires: session.expiresAt ? String(session.expiresAt.getTime()) : "",
    authTime: String(session.authenticatedAt.getTime()),
    amr: session.authMethods.join(" "),
  };
  return trip.setHash(sessionKey(id), fields, idleExpiresAt.getTime());
}

/** Remember that Redis does not hold this session's key, so that it is written at the next request. */
export async function markKeyUnwritten(ctx: Context, id: string): Promise<void> {
  await ctx.db.update(sessions).set({ redisGeneration: null }).where(eq(sessions.id, id));
}

export type RevocationReason = "logged_out" | "redis_key_deleted";

/**
 * End a session: the record first, then the key. Ending one that has ended changes nothing.
 */
export async function revokeSession(
  ctx: Context,
  id: string,
  reason: RevocationReason,
): Promise<void> {
  await ctx.db
    .update(sessions)
    .set({ revokedAt: ctx.now, revokedReason: reason })
    .where(and(eq(sessions.id, id), isNull(sessions.revokedAt)));
  await deleteSessionKey(ctx, id);
}

/** Delete the key of a session that has ended; one that cannot be deleted now is tried again later. */
export async function deleteSessionKey(ctx: Context, id: string): Promise<void> {
  try {
    await redis().del(sessionKey(id));
  } catch {
    ctx.after(() => deleteKeyLater(ctx, id));
  }
}

const retryDelaysMs = [500, 2000, 5000, 10_000];

async function deleteKeyLater(ctx: Context, id: string): Promise<void> {
  for (const delayMs of retryDelaysMs) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    try {
      await redis().del(sessionKey(id));
      return;
    } catch (error) {
      log(
        "WARN",
        {
          evt: "session_key_undeleted",
          cat: "auth",
          correlationId: ctx.correlationId,
          data: { sessionId: id, delay: delayMs, ...errorFields(error) },
        },
        "A revoked session's key could not be deleted",
      );
    }
  }
}
