import type { Context } from "../context.js";
import type { Env } from "../env.js";
import { roundTrip } from "../redis/client.js";
import type { LimitCount } from "./count.js";
import { countRequest } from "./limiter.js";
import { countLocally } from "./local-counts.js";
import type { Limit, PolicyName } from "./policies.js";
import { limitsFor, subjectOf } from "./subject.js";

/**
 * Count a request that was refused before its caller was known, in the `ip` rows of these policies. Without Redis
 * only the `local` rows are counted. `beforeRedis` gets the counts of this process.
 */
export async function countRefused(
  ctx: Context,
  names: PolicyName[],
  beforeRedis: (local: LimitCount[]) => void = () => {},
): Promise<LimitCount[]> {
  const byAddress = limitsOfRefused(ctx.env, names);
  const subject = subjectOf(ctx.env, ctx.address, {});
  const local = countLocally(byAddress, subject, ctx.now);
  beforeRedis(local);
  const trip = roundTrip(ctx);
  const counting = countRequest(trip, byAddress, subject, ctx.now);
  const [inRedis] = await Promise.allSettled([counting, trip.send()]);
  return inRedis.status === "fulfilled" ? inRedis.value : local;
}

/** The limits that count a request whose caller is not known yet. */
export function limitsOfRefused(env: Env, names: PolicyName[]): Limit[] {
  return limitsFor(env, names).filter(
    ({ kind, countsKept }) => kind === "ip" && countsKept === "requests",
  );
}
