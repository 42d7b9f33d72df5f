import type { AccessClaims } from "../auth/access-token.js";
import { readSession, requireLiveSession, type SessionAnswer } from "../auth/live-session.js";
import type { Context } from "../context.js";
import { AppError, catalogue } from "../errors.js";
import { rateLimitHeaders } from "../rate-limit/headers.js";
import { countRequest } from "../rate-limit/limiter.js";
import { redis, roundTrip } from "../redis/client.js";
import { newGeneration, openGate, readGeneration } from "../redis/gate.js";
import { bearerClaims } from "./bearer.js";
import type { Client, Endpoint } from "./endpoint.js";
import { readJsonBody } from "./json-body.js";
import {
  countRefused,
  giveBackLater,
  limitsFor,
  requireWithinLimits,
  settleCounts,
  subjectOf,
} from "./limits.js";
import { Reply } from "./reply.js";
import { validated } from "./validation.js";

const bodyBytesMax = 1024 * 1024;
const countedBodyBytesMax = 16 * 1024;

/** What the route has made of a request before any endpoint is asked. */
export interface Exchange {
  request: Request;
  ctx: Context;
  address: string | undefined;
  params: Record<string, string>;
  /** Headers that the reply carries whether the pass succeeds or throws. */
  headers: Record<string, string>;
  /** What is to be done after the reply. */
  deferred: Work[];
}

export type Work = () => Promise<unknown>;

/**
 * The one pass of every request: token (no I/O) → body where a limit counts by it → one Redis round
 * trip (gate, session, limits) → session → body → handler → present.
 */
export async function pass(endpoint: Endpoint, exchange: Exchange): Promise<Reply> {
  const { ctx, request } = exchange;
  const claims = endpoint.auth === "anonymous" ? undefined : await claimsOf(endpoint, exchange);
  const countedBody = endpoint.subject ? await countedBodyOf(endpoint, exchange) : undefined;

  const { client, answer } = await askRedis(endpoint, exchange, claims, countedBody);
  const actor =
    claims && endpoint.auth === "user" ? await requireLiveSession(ctx, claims, answer) : undefined;
  const body = endpoint.subject
    ? countedBody
    : endpoint.body && validated(endpoint.body, await readJsonBody(request, bodyBytesMax));

  try {
    const { params } = exchange;
    const result = await endpoint.handle({ ctx, body, params, client, claims, actor });
    return result instanceof Reply ? result : new Reply(successStatus(endpoint), result);
  } catch (error) {
    if (!isFailedAttempt(error)) giveBackLater(ctx, client.reserved);
    throw error;
  }
}

/** The token's claims. A bad token costs no I/O before the reply, and is counted after it. */
async function claimsOf(
  endpoint: Endpoint,
  { ctx, request, address }: Exchange,
): Promise<AccessClaims> {
  try {
    return await bearerClaims(request, ctx.env, ctx.now);
  } catch (error) {
    if (endpoint.limits.length > 0) ctx.after(() => countRefused(ctx, endpoint.limits, address));
    throw error;
  }
}

/**
 * A body that limits count by, and which is therefore read before them: it must be small, and one that
 * is refused counts against its sender's address all the same.
 */
async function countedBodyOf(
  { body, limits }: Endpoint,
  { ctx, request, address, headers }: Exchange,
): Promise<unknown> {
  try {
    return body && validated(body, await readJsonBody(request, countedBodyBytesMax));
  } catch (error) {
    // Without Redis the refusal stands uncounted: nothing was tried.
    const counts = await countRefused(ctx, limits, address).catch(() => []);
    Object.assign(headers, rateLimitHeaders(counts, ctx.now));
    requireWithinLimits(ctx, { counts, countedIn: "redis" }, address);
    throw error;
  }
}

/** Only who showed wrong credentials has failed; whatever else went wrong is not the caller's doing. */
function isFailedAttempt(error: unknown): boolean {
  return error instanceof AppError && catalogue[error.code].status === 401;
}

/**
 * The request's one Redis round trip, skipped when the endpoint needs nothing of it. Throws
 * `rate_limited` when a limit is used up.
 */
async function askRedis(
  endpoint: Endpoint,
  { ctx, address, headers }: Exchange,
  claims: AccessClaims | undefined,
  body: unknown,
): Promise<{ client: Client; answer: SessionAnswer | null }> {
  const limits = limitsFor(ctx.env, endpoint.limits);
  const subject = subjectOf(ctx.env, address, {
    ...(claims ? { sessionId: claims.sessionId } : {}),
    ...endpoint.subject?.(body),
  });
  const needsSession = claims !== undefined && endpoint.auth === "user";
  const needsGate = needsSession || endpoint.subject !== undefined;
  if (limits.length === 0 && !needsGate) {
    const reserved = { counts: [], countedIn: "redis" as const };
    return { client: { address, redisGeneration: null, reserved }, answer: null };
  }
  const trip = roundTrip();
  // The session before the gate: a flush in between then shuts the gate on a session that was there.
  const key = needsSession ? readSession(trip, claims.sessionId) : null;
  const generation = needsGate ? readGeneration(trip) : Promise.resolve(null);
  const answer = key && answerOf(key, generation);
  const [counted, gate, found] = await Promise.allSettled([
    countRequest(trip, limits, subject),
    generation,
    answer,
    trip.send(),
  ]);
  const redisGeneration = needsGate ? currentGeneration(ctx, gate) : null;
  const reserved = await settleCounts(ctx, counted, limits, subject);
  Object.assign(headers, rateLimitHeaders(reserved.counts, ctx.now));
  requireWithinLimits(ctx, reserved, address);
  const refundable = reserved.counts.filter(({ limit }) => limit.refundable);
  return {
    client: { address, redisGeneration, reserved: { ...reserved, counts: refundable } },
    answer: found.status === "fulfilled" ? found.value : null,
  };
}

async function answerOf(
  key: Promise<SessionAnswer["session"]>,
  gate: Promise<string | null>,
): Promise<SessionAnswer> {
  const [session, generation] = await Promise.all([key, gate]);
  return { session, generation };
}

/** What a sign-in is recorded under. A gate that is shut is opened after the reply, under the same. */
function currentGeneration(ctx: Context, gate: PromiseSettledResult<string | null>): string | null {
  if (gate.status === "rejected") return null;
  if (gate.value !== null) return gate.value;
  const generation = newGeneration(ctx.now);
  ctx.after(() => openGate(redis(), generation));
  return generation;
}

function successStatus(endpoint: Endpoint): number {
  return Number(Object.keys(endpoint.replies)[0]);
}
