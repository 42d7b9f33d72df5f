import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { redisUnavailable } from "../observability/log-lines/stores.js";
import { isRedisSkipped } from "../platform/redis-transport/breaker.js";
import { roundTrip } from "../redis/client.js";
import { writeRefusal } from "../redis/write-refusal.js";
import type { LimitUse } from "../request-metrics.js";
import {
  consumeReservation,
  type LimitCount,
  type LimitValues,
  type Reservation,
} from "./count.js";
import { refund } from "./limiter.js";
import { refundLocally } from "./local-counts.js";
import type { Limit } from "./policies.js";

const retryAfterSeconds = 5;

/** Loaded on demand: only without Redis. */
const inPostgres = () => import("./strict-fallback.js");

/**
 * The counts of a request: from Redis, or without Redis from Postgres for strict limits and from `local`,
 * the counts of this process, for the others. Throws `service_unavailable` for a limit that denies.
 */
export async function reserve(
  ctx: Context,
  inRedis: PromiseSettledResult<LimitCount[]>,
  applying: Limit[],
  subject: LimitValues,
  local: LimitCount[],
): Promise<Reservation> {
  if (inRedis.status === "fulfilled") return { counts: inRedis.value, countedIn: "redis", local };
  const { reason: cause } = inRedis;
  // Logged once per two seconds of an outage; a refused write is logged where it is detected.
  if (!isRedisSkipped(cause) && !writeRefusal(cause)) redisUnavailable(ctx.correlationId, cause);
  if (applying.some(({ whenRedisFails }) => whenRedisFails === "deny")) {
    throw new AppError("service_unavailable", { cause, retryAfterSeconds });
  }
  const { countInPostgres } = await inPostgres();
  const strict = await countInPostgres(ctx, applying, subject);
  return { counts: [...strict, ...local], countedIn: "postgres", local };
}

export function limitUses({ counts, countedIn }: Reservation): LimitUse[] {
  return counts.map(({ limit, used, allowed }) => ({
    policy: limit.policy,
    used,
    max: limit.max,
    refused: !allowed,
    decidedBy: countedIn === "redis" || limit.whenRedisFails === "strict" ? countedIn : "local",
  }));
}

export function filterCounts(
  reservation: Reservation,
  isKept: (count: LimitCount) => boolean,
): Reservation {
  const { counts, local } = reservation;
  return { ...reservation, counts: counts.filter(isKept), local: local.filter(isKept) };
}

/** Empties the reservation, and after the reply decrements the counters of the chosen counts. */
export function releaseLater(
  ctx: Context,
  reservation: Reservation,
  isGivenBack: (count: LimitCount) => boolean,
): void {
  const { counts, countedIn, local } = filterCounts(consumeReservation(reservation), isGivenBack);
  if (counts.length + local.length === 0) return;
  ctx.after(() => release(ctx, { counts, countedIn, local }));
}

/** Decrements the counters now, for work that failed after the reply had begun. */
export async function release(
  ctx: Context,
  { counts, countedIn, local }: Reservation,
): Promise<void> {
  refundLocally(local);
  if (countedIn === "postgres") return (await inPostgres()).refundInPostgres(ctx, counts);
  const trip = roundTrip(ctx);
  await Promise.all([refund(trip, counts), trip.send()]);
}
