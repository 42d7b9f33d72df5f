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
  const delays = counts.filter(({ limit }) => limit.delaysMs);
  await Promise.all([uncount(trip, counts), ...delays.map((count) => releaseAttempt(trip, count))]);
}

/** Uncounts this attempt, and deletes the account's failures and delay, even if Redis did not answer: it may have counted. */
export async function resetAfterSuccess(
  trip: RoundTrip,
  { counts, countedIn }: Reservation,
): Promise<void> {
  const delays = counts.filter(({ limit }) => limit.delaysMs);
  await Promise.all([
    countedIn === "redis" ? uncount(trip, counts) : undefined,
    ...delays.map((count) => clearFailures(trip, count)),
  ]);
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

/** In the windows that counted it, which may have ended. A deleted counter must not become negative. */
async function uncount(trip: RoundTrip, counts: LimitCount[]): Promise<void> {
  const keys = counts
    .filter(({ limit }) => !limit.delaysMs)
    .map(({ limit, value, resetsAtMs }) =>
      counterKey(limit, value, Math.floor(resetsAtMs / limit.windowMs) - 1),
    );
  if (keys.length > 0) await trip.script(decrementScript, keys, []);
}

const decrementScript = script(`
for _, key in ipairs(KEYS) do
  if redis.call("DECR", key) < 0 then redis.call("DEL", key) end
end`);
