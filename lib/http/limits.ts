import type { Context } from "../context.js";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";
import { limitedAddress } from "../ip-address.js";
import { redisUnavailable } from "../observability/log-lines/stores.js";
import { securityEvent } from "../observability/security-events.js";
import { oncePer } from "../once-per.js";
import { isRedisSkipped } from "../platform/redis-transport/breaker.js";
import { secondsUntil } from "../rate-limit/headers.js";
import { limitedAccount } from "../rate-limit/limited-account.js";
import {
  type Count,
  clear,
  countRequest,
  type Reservation,
  refund,
  type Subject,
  takeReserved,
} from "../rate-limit/limiter.js";
import { type Limit, limitsOf, type PolicyName } from "../rate-limit/policies.js";
import {
  clearInPostgres,
  countInPostgres,
  refundInPostgres,
} from "../rate-limit/strict-fallback.js";
import { roundTrip } from "../redis/client.js";
import { isTrusted } from "./caller-address.js";

const redisAwaySeconds = 5;

/** The limits that an endpoint names. */
export function limitsFor(env: Env, names: PolicyName[]): Limit[] {
  const table = limits(env);
  return names.flatMap((name) => table[name]);
}

/** What a request is counted by: its session when it shows one, else its address. */
export function subjectOf(
  env: Env,
  address: string | undefined,
  known: {
    session?: string | undefined;
    device?: string | undefined;
    account?: string | undefined;
    /** The session of a token that was shown along with credentials. */
    shownSession?: string | undefined;
    user?: string | undefined;
    isGuest?: boolean | undefined;
  },
): Subject {
  const ip = limitedAddress(address);
  // An address must not be readable from a Redis key.
  const account = known.account && limitedAccount(env, known.account);
  return {
    all: "all",
    ...(known.user === undefined ? {} : { user: known.user }),
    ...(known.isGuest ? { "guest-ip": ip } : {}),
    ...(known.session === undefined ? { ip } : { session: known.session }),
    ...(known.device === undefined ? {} : { device: known.device }),
    ...(account === undefined ? {} : { account, "ip-account": `${ip}/${account}` }),
    ...(account === undefined || known.shownSession === undefined
      ? {}
      : { "account-session": `${account}/${known.shownSession}` }),
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
  if (!isRedisSkipped(inRedis.reason)) redisUnavailable(ctx.correlationId, inRedis.reason);
  if (applying.some(({ whenRedisFails }) => whenRedisFails === "deny")) {
    throw new AppError("service_unavailable", {
      cause: inRedis.reason,
      retryAfterSeconds: redisAwaySeconds,
    });
  }
  return { counts: await countInPostgres(ctx, applying, subject), countedIn: "postgres" };
}

/**
 * Refuse a request that is over a limit: throws `rate_limited` (`toolkit_unavailable` where it is
 * everybody's) with the honest time to wait. What was
 * reserved for it is given back after the reply, for nothing was tried. Trusted addresses are never
 * refused.
 */
export function requireWithinLimits(
  ctx: Context,
  { counts, countedIn }: Reservation,
  address: string | undefined,
): void {
  const [longest] = counts
    .filter((count) => !count.allowed)
    .sort((one, other) => other.resetsAtMs - one.resetsAtMs);
  if (!longest || isTrusted(address, ctx.env)) return;
  giveBackLater(ctx, { counts, countedIn });
  const { policy, kind } = longest.limit;
  const retryAfterSeconds = secondsUntil(longest.resetsAtMs, ctx.now);
  // The day's budget is no doing of this caller's.
  if (kind === "all") throw new AppError("toolkit_unavailable", { retryAfterSeconds });
  securityEvent(ctx, "rate_limited", { data: { policy, reason: kind } });
  throw new AppError("rate_limited", { retryAfterSeconds });
}

/**
 * The delay of the account that the body names, or null. To who shows a token it is left open until the
 * account is looked up: `undelayedCandidates` then decides what may be compared for that token.
 */
export function accountDelay(ctx: Context, { counts }: Reservation): Count | null {
  if (isTrusted(ctx.address, ctx.env)) return null;
  return counts.find(({ limit, allowed }) => limit.kind === "account" && !allowed) ?? null;
}

/** Give back, after the reply, what was reserved for a request that was refused before its work. */
export function giveBackLater(ctx: Context, reservation: Reservation): void {
  const { counts, countedIn } = takeReserved(reservation);
  const reserved = counts.filter(({ limit }) => limit.keeps !== "requests");
  if (reserved.length > 0) ctx.after(() => giveBack(ctx, { counts: reserved, countedIn }));
}

/** The same of an attempt that succeeded: its work stays counted. */
export function giveBackAttemptLater(ctx: Context, reservation: Reservation): void {
  const { counts, countedIn } = takeReserved(reservation);
  giveBackLater(ctx, {
    counts: counts.filter(({ limit }) => limit.keeps === "failures"),
    countedIn,
  });
}

/**
 * Forget, after the reply, the failed sign-ins that delay an account, and those from the caller's own
 * address: whoever has just shown that the account is theirs shall not wait for what strangers did.
 */
export function forgetSignInFailuresLater(
  ctx: Context,
  account: string,
  { countedIn }: Reservation,
): void {
  const ofAccount = limitsFor(ctx.env, ["account", "auth-failures"]);
  const { ip: _, ...subject } = subjectOf(ctx.env, ctx.address, { account });
  ctx.after(async () => {
    if (countedIn === "postgres") return clearInPostgres(ctx, ofAccount, subject);
    const trip = roundTrip(ctx);
    await Promise.all([clear(trip, ofAccount, subject, ctx.now), trip.send()]);
  });
}

/** Count a request that is refused before it could be counted by anything but its address. */
export async function countRefused(
  ctx: Context,
  names: PolicyName[],
  address: string | undefined,
): Promise<Count[]> {
  const byAddress = limitsFor(ctx.env, names).filter(
    (limit) => limit.kind === "ip" && limit.keeps === "requests",
  );
  const trip = roundTrip(ctx);
  const counting = countRequest(trip, byAddress, subjectOf(ctx.env, address, {}), ctx.now);
  const [counts] = await Promise.all([counting, trip.send()]);
  return counts;
}

async function giveBack(ctx: Context, { counts, countedIn }: Reservation): Promise<void> {
  if (countedIn === "postgres") return refundInPostgres(ctx, counts);
  const trip = roundTrip(ctx);
  await Promise.all([refund(trip, counts), trip.send()]);
}

const limits = oncePer(limitsOf);
