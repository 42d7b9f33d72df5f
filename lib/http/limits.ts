import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";
import { limitedAddress } from "../ip-address.js";
import { redisUnavailable } from "../observability/log-lines/stores.js";
import { oncePer } from "../once-per.js";
import { isRedisSkipped } from "../platform/redis-transport/breaker.js";
import type { Count, Reservation, Subject } from "../rate-limit/count.js";
import { takeReserved } from "../rate-limit/count.js";
import { secondsUntil } from "../rate-limit/headers.js";
import { limitedAccount } from "../rate-limit/limited-account.js";
import { clear, countRequest, refund } from "../rate-limit/limiter.js";
import { countLocally, uncountLocally } from "../rate-limit/local-counts.js";
import { type Limit, limitsOf, type PolicyName } from "../rate-limit/policies.js";
import {
  clearInPostgres,
  countInPostgres,
  refundInPostgres,
} from "../rate-limit/strict-fallback.js";
import { roundTrip } from "../redis/client.js";
import { writeRefusal } from "../redis/refused-writes.js";
import type { LimitUse } from "../request-metrics.js";
import { isTrusted } from "./caller-address.js";

const redisAwaySeconds = 5;

/** The limits that an endpoint names. */
export function limitsFor(env: Env, names: PolicyName[]): Limit[] {
  const table = limits(env);
  return names.flatMap((name) => table[name]);
}

/** What a request is counted by: its session when it shows one, else its address, and that in any case. */
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
    isVerified?: boolean | undefined;
  },
): Subject {
  const ip = limitedAddress(address);
  // An address must not be readable from a Redis key.
  const account = known.account && limitedAccount(env, known.account);
  return {
    all: "all",
    address: ip,
    ...(known.user === undefined ? {} : { user: known.user }),
    ...(known.user === undefined || known.isVerified
      ? {}
      : // A guest account costs nothing to make: those of one address are counted as one account.
        { unverified: known.isGuest ? `guests/${ip}` : known.user, "unverified-ip": ip }),
    ...(known.session === undefined ? { ip } : { session: known.session }),
    ...(known.device === undefined ? {} : { device: known.device }),
    ...(account === undefined ? {} : { account, "ip-account": `${ip}/${account}` }),
    ...(account === undefined || known.shownSession === undefined
      ? {}
      : { "account-session": `${account}/${known.shownSession}` }),
  };
}

/**
 * The counts of a request, from Redis or, where Redis failed, from Postgres for the strict limits and from
 * `local`, what this process has counted, for the others.
 */
export async function settleCounts(
  ctx: Context,
  inRedis: PromiseSettledResult<Count[]>,
  applying: Limit[],
  subject: Subject,
  local: Count[],
): Promise<Reservation> {
  if (inRedis.status === "fulfilled") return { counts: inRedis.value, countedIn: "redis" };
  // Once in the two seconds that Redis is skipped, so that an outage does not flood the log; a refusal
  // is logged where it is noticed first.
  const isLogged = isRedisSkipped(inRedis.reason) || writeRefusal(inRedis.reason);
  if (!isLogged) redisUnavailable(ctx.correlationId, inRedis.reason);
  if (applying.some(({ whenRedisFails }) => whenRedisFails === "deny")) {
    throw new AppError("service_unavailable", {
      cause: inRedis.reason,
      retryAfterSeconds: redisAwaySeconds,
    });
  }
  const strict = await countInPostgres(ctx, applying, subject);
  return { counts: [...strict, ...local], countedIn: "postgres" };
}

/** What each policy counted of a request, for its event. */
export function limitUses({ counts, countedIn }: Reservation): LimitUse[] {
  return counts.map(({ limit, used, allowed }) => ({
    policy: limit.policy,
    used,
    max: limit.max,
    refused: !allowed,
    decidedBy: countedIn === "redis" || limit.whenRedisFails === "strict" ? countedIn : "local",
  }));
}

/**
 * Refuse a request that is over a limit: throws `rate_limited` (`toolkit_unavailable` where it is
 * everybody's) with the honest time to wait. What was reserved for it is given back after the reply, for
 * nothing was tried; all of its counts where the limit is everybody's. Trusted addresses are never refused.
 */
export function requireWithinLimits(
  ctx: Context,
  { counts, countedIn }: Reservation,
  address: string | undefined,
): void {
  const [longest] = counts
    .filter(({ limit, allowed }) => !allowed && !limit.mutes)
    .sort((one, other) => other.resetsAtMs - one.resetsAtMs);
  if (!longest || isTrusted(address, ctx.env)) return;
  const { policy, kind } = longest.limit;
  const retryAfterSeconds = secondsUntil(longest.resetsAtMs, ctx.now);
  // The day's budget is no doing of this caller's.
  if (kind === "all") {
    giveBackAllLater(ctx, { counts, countedIn });
    throw new AppError("toolkit_unavailable", { retryAfterSeconds });
  }
  giveBackLater(ctx, { counts, countedIn });
  securityEvent(ctx, "rate_limited", { data: { policy, reason: kind } });
  throw new AppError("rate_limited", { retryAfterSeconds });
}

/** Whether a mail may be sent to an e-mail address that was never proven. A caller sees no difference. */
export function mayMailUnproven(ctx: Context, { counts }: Reservation): boolean {
  const muting = counts.find(({ limit, allowed }) => limit.mutes && !allowed);
  if (!muting || isTrusted(ctx.address, ctx.env)) return true;
  const { policy, kind } = muting.limit;
  securityEvent(ctx, "rate_limited", { data: { policy, reason: kind } });
  return false;
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
  giveBackAllLater(ctx, {
    counts: counts.filter(({ limit }) => limit.keeps !== "requests"),
    countedIn,
  });
}

/** Give back all counts of a request that no caller would have been served: it costs no allowance. */
export function giveBackAllLater(ctx: Context, reservation: Reservation): void {
  const reserved = takeReserved(reservation);
  if (reserved.counts.length > 0) ctx.after(() => giveBack(ctx, reserved));
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
 * Forget the failed sign-ins that delay an account, and those from the caller's own IP address, and let
 * one sign-in from this IP address or device past the next delay: whoever has just shown that the account
 * is theirs must not wait for what strangers do. Never rejects.
 */
export async function endSignInDelay(
  ctx: Context,
  account: string,
  { countedIn }: Reservation,
  device: string | null,
): Promise<void> {
  const ofAccount = limitsFor(ctx.env, ["account", "auth-failures"]);
  const { ip = null, ...subject } = subjectOf(ctx.env, ctx.address, { account });
  const pass = { ip: ctx.address === undefined ? null : ip, device };
  try {
    if (countedIn === "postgres") return await clearInPostgres(ctx, ofAccount, subject, pass);
    const trip = roundTrip(ctx);
    await Promise.all([clear(trip, ofAccount, subject, { ...pass, now: ctx.now }), trip.send()]);
  } catch (error) {
    redisUnavailable(ctx.correlationId, error);
  }
}

/**
 * Count a request that is refused before it could be counted by anything but its address. Without Redis
 * this process counts alone: the refusal is not worth a statement.
 */
export async function countRefused(
  ctx: Context,
  names: PolicyName[],
  address: string | undefined,
  beforeRedis: (local: Count[]) => void = () => {},
): Promise<Count[]> {
  const byAddress = limitsFor(ctx.env, names).filter(
    (limit) => limit.kind === "ip" && limit.keeps === "requests",
  );
  const subject = subjectOf(ctx.env, address, {});
  const local = countLocally(byAddress, subject, ctx.now);
  beforeRedis(local);
  const trip = roundTrip(ctx);
  const counting = countRequest(trip, byAddress, subject, ctx.now);
  const [inRedis] = await Promise.allSettled([counting, trip.send()]);
  return inRedis.status === "fulfilled" ? inRedis.value : local;
}

async function giveBack(ctx: Context, { counts, countedIn }: Reservation): Promise<void> {
  uncountLocally(counts);
  if (countedIn === "postgres") return refundInPostgres(ctx, counts);
  const trip = roundTrip(ctx);
  await Promise.all([refund(trip, counts), trip.send()]);
}

const limits = oncePer(limitsOf);
