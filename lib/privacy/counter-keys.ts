import type { Context } from "../context.js";
import { failuresKey } from "../rate-limit/failure-run.js";
import { counterKey } from "../rate-limit/limiter.js";
import { delayKey } from "../rate-limit/login-delay.js";
import { type LimitKind, limitsOf } from "../rate-limit/policies.js";

interface Counted {
  userIds: string[];
  sessionIds: string[];
  /** Keyed hashes of verified addresses: the counters of a claimed one protect its owner. */
  limitKeys: string[];
}

/**
 * The names of counters, of the windows that may still be counted. Not those by device, which any client can name, and by
 * IP address: they expire within a day.
 */
export function counterKeysOf(
  { env, now }: Pick<Context, "env" | "now">,
  { userIds, sessionIds, limitKeys }: Counted,
): string[] {
  const values: Partial<Record<LimitKind, string[]>> = {
    user: userIds,
    unverified: userIds,
    session: sessionIds,
    account: limitKeys,
    "account-session": limitKeys.flatMap((key) => sessionIds.map((id) => `${key}/${id}`)),
  };
  const counted = new Set(limitKeys.map((value) => failuresKey("account", value)));
  for (const limit of Object.values(limitsOf(env)).flat()) {
    const window = Math.floor(now.getTime() / limit.windowMs);
    for (const value of values[limit.kind] ?? []) {
      if (limit.delaysMs) counted.add(delayKey(limit, value));
      else for (const one of [window - 1, window]) counted.add(counterKey(limit, value, one));
    }
  }
  return [...counted];
}
