import type { AccessClaims } from "../auth/access-token.js";
import { readSession, requireLiveSession, type SessionAnswer } from "../auth/live-session.js";
import type { Context } from "../context.js";
import { countRequest } from "../rate-limit/limiter.js";
import { redis, roundTrip } from "../redis/client.js";
import { newGeneration, openGate, readGeneration } from "../redis/gate.js";
import { bearerClaims } from "./bearer.js";
import type { Client, Endpoint } from "./endpoint.js";
import { readJsonBody } from "./json-body.js";
import {
  countRefused,
  limitsFor,
  rateLimitHeaders,
  requireWithinLimits,
  settleCounts,
  subjectOf,
} from "./limits.js";
import { Reply } from "./reply.js";
import { validated } from "./validation.js";

/** What the route has made of a request before any endpoint is asked. */
export interface Exchange {
  request: Request;
  ctx: Context;
  address: string | undefined;
  params: Record<string, string>;
  /** Headers that the reply carries whether the pass succeeds or throws. */
  headers: Record<string, string>;
}

/**
 * The one pass of every request: token (no I/O) → body where a limit counts by it → one Redis round
 * trip (gate, session, limits) → session → body → handler → present.
 */
export async function pass(endpoint: Endpoint, exchange: Exchange): Promise<Reply> {
  const { ctx, request, address } = exchange;
  let claims: AccessClaims | undefined;
  let body: unknown;
  try {
    if (endpoint.auth !== "anonymous") claims = await bearerClaims(request, ctx.env, ctx.now);
    if (endpoint.subject) body = await parsedBody(endpoint, request);
  } catch (error) {
    if (endpoint.limits.length > 0) ctx.after(() => countRefused(ctx, endpoint.limits, address));
    throw error;
  }

  const { client, answer } = await askRedis(endpoint, exchange, claims, body);
  const actor =
    claims && endpoint.auth === "user" ? await requireLiveSession(ctx, claims, answer) : undefined;
  if (!endpoint.subject) body = await parsedBody(endpoint, request);

  const { params } = exchange;
  const result = await endpoint.handle({ ctx, body, params, client, claims, actor });
  return result instanceof Reply ? result : new Reply(successStatus(endpoint), result);
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
  const generation = needsGate ? readGeneration(trip) : Promise.resolve(null);
  const session = needsSession ? readSession(trip, generation, claims.sessionId) : null;
  const [counted, gate, found] = await Promise.allSettled([
    countRequest(trip, limits, subject),
    generation,
    session,
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

/** What a sign-in is recorded under. A gate that is shut is opened after the reply, under the same. */
function currentGeneration(ctx: Context, gate: PromiseSettledResult<string | null>): string | null {
  if (gate.status === "rejected") return null;
  if (gate.value !== null) return gate.value;
  const generation = newGeneration(ctx.now);
  ctx.after(() => openGate(redis(), generation));
  return generation;
}

async function parsedBody(endpoint: Endpoint, request: Request): Promise<unknown> {
  return endpoint.body ? validated(endpoint.body, await readJsonBody(request)) : undefined;
}

function successStatus(endpoint: Endpoint): number {
  return Number(Object.keys(endpoint.replies)[0]);
}
