import { type RoundTrip, script } from "../redis/round-trip.js";
import type { LimitCount, LimitValues, Reservation } from "./count.js";
import { countInWindows } from "./count-in-windows.js";
import {
  clearFailures,
  type DelayPass,
  grantPass,
  releaseAttempt,
  reserveAttempt,
} from "./login-delay.js";
import type { Limit } from "./policies.js";

/** Settles after `trip.send()`; rejects when Redis cannot answer: each limit's `whenRedisFails` then decides. */
export async function countRequest(
  trip: RoundTrip,
  limits: Limit[],
  subject: LimitValues,
  now: Date,
): Promise<LimitCount[]> {
  const counted = applicableLimits(limits, subject);
  const windows = counted.filter(({ limit }) => !limit.delaysMs);
  const delays = counted.filter(({ limit }) => limit.delaysMs);
  const [uses, ...reserved] = await Promise.all([
    countInWindows(
      trip,
      windows.map(({ limit, value }) => ({ limit, identifier: identifier(limit, value) })),
    ),
    ...delays.map(({ limit, value }) => reserveAttempt(trip, limit, value, { ...subject, now })),
  ]);
  const counts: LimitCount[] = [];
  for (const [at, { limit, value }] of windows.entries()) {
    const use = uses[at];
    if (!use) continue;
    const { allowed, used, remaining, resetsAtMs } = use;
    counts.push({ limit, value, allowed, used, remaining, resetsAtMs });
  }
  return [...counts, ...reserved];
}

export async function refund(trip: RoundTrip, counts: LimitCount[]): Promise<void> {
  await Promise.all(
    counts.map((count) =>
      count.limit.delaysMs ? releaseAttempt(trip, count) : uncount(trip, count),
    ),
  );
}

/** Uncounts this attempt, and deletes the account's failures and delay, even if Redis did not answer: it may have counted. */
export async function resetAfterSuccess(
  trip: RoundTrip,
  { counts, countedIn }: Reservation,
): Promise<void> {
  const uncounting = counts.map((count) => {
    if (count.limit.delaysMs) return clearFailures(trip, count);
    return countedIn === "redis" ? uncount(trip, count) : undefined;
  });
  await Promise.all(uncounting);
}

/** Deletes the current windows, failures and delays; a later delay exempts this caller once. */
export async function clearCounters(
  trip: RoundTrip,
  limits: Limit[],
  subject: LimitValues,
  { now, ...pass }: DelayPass & { now: Date },
): Promise<void> {
  await Promise.all(
    applicableLimits(limits, subject).map(({ limit, value }) =>
      limit.delaysMs
        ? grantPass(trip, limit, value, { ...pass, now })
        : trip.command("DEL", currentWindow(limit, value, now).key),
    ),
  );
}

export function applicableLimits(
  limits: Limit[],
  subject: LimitValues,
): { limit: Limit; value: string }[] {
  return limits.flatMap((limit) => {
    const value = subject[limit.kind];
    return value === undefined ? [] : [{ limit, value }];
  });
}

export function counterKey(limit: Limit, value: string, window: number): string {
  return `rate:${limit.policy}:${identifier(limit, value)}:${window}`;
}

export function currentWindow(limit: Limit, value: string, now: Date) {
  const window = Math.floor(now.getTime() / limit.windowMs);
  return {
    key: counterKey(limit, value, window),
    resetsAtMs: (window + 1) * limit.windowMs,
  };
}

export function windowCount(
  limit: Limit,
  value: string,
  used: number,
  resetsAtMs: number,
): LimitCount {
  const remaining = Math.max(0, limit.max - used);
  return { limit, value, allowed: used <= limit.max, used, remaining, resetsAtMs };
}

const identifier = (limit: Limit, value: string) => `${limit.kind}:${value}`;

/** In the window that counted it, which may have ended. A deleted counter must not become negative. */
async function uncount(trip: RoundTrip, { limit, value, resetsAtMs }: LimitCount): Promise<void> {
  const window = Math.floor(resetsAtMs / limit.windowMs) - 1;
  await trip.script(decrementScript, [counterKey(limit, value, window)], []);
}

const decrementScript = script(`
local used = tonumber(redis.call("GET", KEYS[1]) or 0)
if used > 0 then redis.call("DECR", KEYS[1]) end`);
