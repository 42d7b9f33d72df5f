import { createHmac } from "node:crypto";
import type { Context } from "../context.js";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";
import { limitedAddress } from "../ip-address.js";
import { redisUnavailable } from "../observability/events.js";
import { oncePer } from "../once-per.js";
import { RedisSkippedError } from "../platform/redis-transport/breaker.js";
import { secondsUntil } from "../rate-limit/headers.js";
import {
  type Count,
  countRequest,
  type Reservation,
  refund,
  type Subject,
} from "../rate-limit/limiter.js";
import { type Limit, limitsOf, type PolicyName } from "../rate-limit/policies.js";
import { countInPostgres, refundInPostgres } from "../rate-limit/strict-fallback.js";
import { roundTrip } from "../redis/client.js";
import { deriveKey } from "../secret.js";
import { isTrusted } from "./caller-address.js";

/** The limits that an endpoint names. */
export function limitsFor(env: Env, names: PolicyName[]): Limit[] {
  const table = limits(env);
  return names.flatMap((name) => table[name]);
}

/** What a request is counted by: its session when it shows one, else its address. */
export function subjectOf(
  env: Env,
  address: string | undefined,
  known: { sessionId?: string; device?: string | undefined; account?: string | undefined },
): Subject {
  const ip = limitedAddress(address);
  return {
    ...(known.sessionId === undefined ? { ip } : { session: known.sessionId }),
    ...(known.device === undefined ? {} : { device: known.device }),
    ...(known.account === undefined
      ? {}
      : { "ip-account": `${ip}/${accountHash(env, known.account)}` }),
  };
}

/** The counts of a request, from Redis or, where Redis failed, from Postgres for the strict limits. */
export async function settleCounts(
  ctx: Context,
  inRedis: PromiseSettledResult<Count[]>,
  applying: Limit[],
  subject: Subject,
): Promise<Reservation> {
  if (inRedis.status === "fulfilled") return { counts: inRedis.value, countedIn: "redis" };
  // Once in the two seconds that Redis is skipped, so that an outage does not flood the log.
  if (!(inRedis.reason instanceof RedisSkippedError)) {
    redisUnavailable(ctx.correlationId, inRedis.reason);
  }
  return { counts: await countInPostgres(ctx, applying, subject), countedIn: "postgres" };
}

/**
 * Refuse a request that is over a limit: throws `rate_limited` with the honest time to wait. What was
 * reserved for it is given back after the reply, for nothing was tried. Trusted addresses are never
 * refused.
 */
export function requireWithinLimits(
  ctx: Context,
  { counts, countedIn }: Reservation,
  address: string | undefined,
): void {
  const refused = counts.filter((count) => !count.allowed);
  if (refused.length === 0 || isTrusted(address, ctx.env)) return;
  giveBackLater(ctx, { counts, countedIn });
  const until = Math.max(...refused.map((count) => count.resetsAtMs));
  throw new AppError("rate_limited", { retryAfterSeconds: secondsUntil(until, ctx.now) });
}

/** Give back, after the reply, what was reserved for an attempt that did not fail. */
export function giveBackLater(ctx: Context, { counts, countedIn }: Reservation): void {
  const reserved = counts.filter(({ limit }) => limit.refundable);
  if (reserved.length > 0) ctx.after(() => giveBack(ctx, { counts: reserved, countedIn }));
}

/** Count a request that is refused before it could be counted by anything but its address. */
export async function countRefused(
  ctx: Context,
  names: PolicyName[],
  address: string | undefined,
): Promise<Count[]> {
  const byAddress = limitsFor(ctx.env, names).filter(
    (limit) => limit.kind === "ip" && !limit.refundable,
  );
  const trip = roundTrip();
  const counting = countRequest(trip, byAddress, subjectOf(ctx.env, address, {}));
  const [counts] = await Promise.all([counting, trip.send()]);
  return counts;
}

async function giveBack(ctx: Context, { counts, countedIn }: Reservation): Promise<void> {
  if (countedIn === "postgres") return refundInPostgres(ctx, counts);
  const trip = roundTrip();
  await Promise.all([refund(trip, counts), trip.send()]);
}

const limits = oncePer(limitsOf);
const accountKey = oncePer((env: Env) => deriveKey(env.jwt.secret, "limited-account"));

/** An address must not be readable from a Redis key. */
function accountHash(env: Env, account: string): string {
  return createHmac("sha256", accountKey(env)).update(account).digest("base64url").slice(0, 22);
}
