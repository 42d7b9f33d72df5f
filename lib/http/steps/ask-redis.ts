import { blockMembers } from "../../admission/admission.js";
import { effectiveRevokeAll } from "../../admission/revoke-all.js";
import type { OperatorKey } from "../../auth/operator/operator-key.js";
import {
  type CachedSession,
  type KeyState,
  readCachedSession,
  readKeyState,
  type SessionLookup,
} from "../../auth/session/live-session.js";
import type { Context } from "../../context.js";
import { redisRefusesWrites } from "../../observability/log-lines/stores.js";
import type { LimitCount, Reservation } from "../../rate-limit/count.js";
import { countRequest } from "../../rate-limit/limiter.js";
import { countLocally } from "../../rate-limit/local-counts.js";
import { reserve } from "../../rate-limit/reservation.js";
import { isTrusted } from "../../rate-limit/trusted-address.js";
import { readBlocks } from "../../redis/blocks.js";
import { readCached } from "../../redis/cached-content.js";
import { roundTrip } from "../../redis/client.js";
import { readGate } from "../../redis/gate.js";
import { type Answer, orNull } from "../../redis/round-trip.js";
import { isRedisStale, markRedisStale } from "../../redis/stale-redis.js";
import { writeRefusal } from "../../redis/write-refusal.js";
import type { CallerInfo, Identity } from "../endpoint.js";
import type { Call } from "../exchange.js";
import type { Counting } from "./limits.js";
import type { Credential } from "./require-credential.js";

export interface RedisAnswer {
  reserved: Reservation;
  /** The names by which this caller can be blocked. */
  members: string[];
  /** Those that are blocked; null when Redis cannot say. */
  blocked: string[] | null;
  /** Null when it must be read from Postgres, or is not needed. */
  session: SessionLookup | null;
  keyState: KeyState;
  cached: CallerInfo["cached"];
}

/**
 * Count the limits, and read gate, blocks and session: one Redis round trip, or more for a new script or
 * cutoff. Sets `ctx.gate`. Without Redis, Postgres or this process counts. Null without limits and a session
 * to read. Throws `service_unavailable` when a limit cannot be counted that must be.
 */
export async function askRedis(
  { ctx, endpoint, params, url }: Call,
  { claims, key }: Credential,
  identity: Identity,
  { limits, subject }: Counting,
): Promise<RedisAnswer | null> {
  if (limits.length === 0 && !claims) return null;
  const local = countLocally(limits, subject, ctx.now);
  const trip = roundTrip(ctx);
  const members = blockMembers(blockableAddress(ctx, key), claims?.userId);
  const gate = readGate(trip);
  const blocked = readBlocks(trip, members);
  const counting = countRequest(trip, limits, subject, ctx.now);
  const session = claims ? readCachedSession(trip, claims.sessionId) : null;
  const keyState = identity.session === undefined ? null : readKeyState(trip, identity.session);
  const name = endpoint.cachedAs?.({ params, url });
  const cached = name === undefined ? undefined : readCached(trip, name);
  // A long reply would delay the others of a gathered call.
  const isGathered = cached === undefined;
  const [counted] = await Promise.allSettled([counting, trip.send({ isGathered })]);
  const isCurrent = isRedisCurrent(ctx, counted);
  ctx.gate = isCurrent ? orNull(gate) : null;
  const reserved = await reserve(ctx, counted, limits, subject, local);
  if (ctx.gate) {
    ctx.gate.revokeAllBefore = await effectiveRevokeAll(ctx, ctx.gate.revokeAllBefore);
  }
  return {
    reserved,
    members,
    blocked: isCurrent ? orNull(blocked) : null,
    session: session && sessionAnswer(ctx, session),
    keyState: (isCurrent && keyState?.()) || "unknown",
    cached: name === undefined ? undefined : { name, text: cached ? orNull(cached) : null },
  };
}

/** Trusted addresses are never blocked, and the break-glass token can lift blocks from anywhere. */
export function blockableAddress(
  { address, env }: Context,
  key: OperatorKey | undefined,
): string | undefined {
  return isTrusted(address, env) || key?.kind === "break_glass" ? undefined : address;
}

/**
 * Whether the answer of Redis may be used. If it refused to count this request, it refuses writes: it may not
 * know that a session has ended, so Postgres decides until Redis is up to date.
 */
function isRedisCurrent(ctx: Context, counted: PromiseSettledResult<LimitCount[]>): boolean {
  if (counted.status === "fulfilled") return !isRedisStale();
  if (writeRefusal(counted.reason)) {
    if (!isRedisStale()) redisRefusesWrites(ctx.correlationId, counted.reason);
    markRedisStale();
  }
  return false;
}

/** A session's key is valid only together with the revoke-all cutoff. */
function sessionAnswer(
  { gate }: Context,
  session: Answer<CachedSession | null>,
): SessionLookup | null {
  if (!gate) return null;
  return orNull(() => ({ session: session(), revokeAllBefore: gate.revokeAllBefore }));
}
