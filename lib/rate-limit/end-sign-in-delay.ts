import type { Context } from "../context.js";
import { redisUnavailable, signInDelayKept } from "../observability/log-lines/stores.js";
import { roundTrip } from "../redis/client.js";
import type { Reservation } from "./count.js";
import { clearCounters } from "./limiter.js";
import { clearCountersInPostgres } from "./strict-fallback.js";
import { limitsFor, subjectOf } from "./subject.js";

/**
 * Delete the failed sign-ins of an account, and for ten minutes exempt one sign-in from this IP address or device
 * from the next delay: the caller has just proved to own the account. Never rejects.
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
    if (countedIn === "postgres")
      return await clearCountersInPostgres(ctx, ofAccount, subject, pass);
    const trip = roundTrip(ctx);
    await Promise.all([
      clearCounters(trip, ofAccount, subject, { ...pass, now: ctx.now }),
      trip.send(),
    ]);
  } catch (error) {
    const report = countedIn === "postgres" ? signInDelayKept : redisUnavailable;
    report(ctx.correlationId, error);
  }
}
