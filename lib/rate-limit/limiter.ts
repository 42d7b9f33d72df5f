import { type RoundTrip, script } from "../redis/round-trip.js";
import type { Count, Reservation, Subject } from "./count.js";
import {
  type DelayPass,
  forgetFailures,
  giveBackAttempt,
  grantPass,
  reserveAttempt,
} from "./login-delay.js";
import type { Limit } from "./policies.js";
import { countInWindows } from "./windows-in-redis.js";

/**
 * Count a request in every limit that applies to it, within `trip`. Rejects when Redis cannot answer:
 * the caller then decides by each limit's `whenRedisFails`.
 */
export async function countRequest(
  trip: RoundTrip,
  limits: Limit[],
  subject: Subject,
  now: Date,
): Promise<Count[]> {
  const counted = applying(limits, subject);
  const windows = counted.filter(({ limit }) => !limit.delaysMs);
  const delays = counted.filter(({ limit }) => limit.delaysMs);
  const [uses, ...reserved] = await Promise.all([
    countInWindows(
      trip,
      windows.map(({ limit, value }) => ({ limit, identifier: identifier(limit, value) })),
    ),
    ...delays.map(({ limit, value }) => reserveAttempt(trip, limit, value, { ...subject, now })),
  ]);
  const counts = windows.flatMap((window, at) => (uses[at] ? [{ ...window, ...uses[at] }] : []));
  return [...counts, ...reserved];
}

/** Give back what was counted: nothing was tried, for another limit refused it or we failed. */
export async function refund(trip: RoundTrip, counts: Count[]): Promise<void> {
  await Promise.all(
    counts.map((count) =>
      count.limit.delaysMs ? giveBackAttempt(trip, count) : uncount(trip, count),
    ),
  );
}

/**
 * The attempt succeeded: give back what was counted, and forget the account's earlier failures, even
 * where Redis did not answer: it may have counted all the same.
 */
export async function forgive(trip: RoundTrip, { counts, countedIn }: Reservation): Promise<void> {
  const uncounting = counts.map((count) => {
    if (count.limit.delaysMs) return forgetFailures(trip, count);
    return countedIn === "redis" ? uncount(trip, count) : undefined;
  });
  await Promise.all(uncounting);
}

/**
 * Forget what was counted of these: of windows, the present one. A delay that begins later lets this
 * caller pass once.
 */
export async function clear(
  trip: RoundTrip,
  limits: Limit[],
  subject: Subject,
  { now, ...pass }: DelayPass & { now: Date },
): Promise<void> {
  await Promise.all(
    applying(limits, subject).map(({ limit, value }) =>
      limit.delaysMs
        ? grantPass(trip, limit, value, { ...pass, now })
        : trip.command("DEL", windowOf(limit, value, now).key),
    ),
  );
}

/** The limits that count this request, each with the value it counts by. */
export function applying(limits: Limit[], subject: Subject): { limit: Limit; value: string }[] {
  return limits.flatMap((limit) => {
    const value = subject[limit.kind];
    return value === undefined ? [] : [{ limit, value }];
  });
}

/** `rate:<policy>:<kind>:<value>:<window>`, as `redis-cli KEYS rate:*` shows it. */
export function counterKey(limit: Limit, value: string, window: number): string {
  return `rate:${limit.policy}:${identifier(limit, value)}:${window}`;
}

/** The counter of the present window, and when that ends. */
export function windowOf(limit: Limit, value: string, now: Date) {
  const window = Math.floor(now.getTime() / limit.windowMs);
  return {
    key: counterKey(limit, value, window),
    resetsAtMs: (window + 1) * limit.windowMs,
  };
}

/** What a counter of a fixed window says, this request included. */
export function windowCount(limit: Limit, value: string, used: number, resetsAtMs: number): Count {
  const remaining = Math.max(0, limit.max - used);
  return { limit, value, allowed: used <= limit.max, used, remaining, resetsAtMs };
}

const identifier = (limit: Limit, value: string) => `${limit.kind}:${value}`;

/** In the window that counted it, which may be over; one that was lifted must not go below nothing. */
async function uncount(trip: RoundTrip, { limit, value, resetsAtMs }: Count): Promise<void> {
  const window = Math.floor(resetsAtMs / limit.windowMs) - 1;
  await trip.script(giveBack, [counterKey(limit, value, window)], []);
}

const giveBack = script(`
local used = tonumber(redis.call("GET", KEYS[1]) or 0)
if used > 0 then redis.call("DECR", KEYS[1]) end`);
