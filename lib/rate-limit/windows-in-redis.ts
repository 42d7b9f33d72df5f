import { createHash } from "node:crypto";
import { Ratelimit } from "@upstash/ratelimit";
import { type RoundTrip, script } from "../redis/round-trip.js";
import type { Limit } from "./policies.js";

/** What a window says of a request that it has counted. */
interface WindowUse {
  allowed: boolean;
  /** Never more than the limit's `max`. */
  used: number;
  remaining: number;
  resetsAtMs: number;
}

/** What the limiter asks its script for one key. */
interface Asked {
  key: string;
  args: [max: number, windowMs: number, isCeiling: 0 | 1];
  resolve(answer: [used: number, max: number]): void;
  reject(error: unknown): void;
}

/**
 * Count a request in all of its windows by one script within `trip`. Each limiter names its key and reads
 * its count; it is given a Redis that gathers what they ask. Null for a ceiling that did not count the
 * request, because a limit before it refuses it.
 */
export function countInWindows(
  trip: RoundTrip,
  windows: { limit: Limit; identifier: string }[],
): Promise<(WindowUse | null)[]> {
  const asked: Asked[] = [];
  const uses = windows.map(async ({ limit, identifier }) => {
    const evalsha = (_sha1: string, [key = ""]: string[], [max = 0, windowMs = 0]: number[]) =>
      new Promise<[used: number, max: number]>((resolve, reject) => {
        asked.push({ key, args: [max, windowMs, limit.isCeiling ? 1 : 0], resolve, reject });
      });
    const answer = await limiterOf(limit, evalsha).limit(identifier);
    const { success: allowed, remaining, reset: resetsAtMs } = answer;
    const used = limit.max - remaining;
    return used === 0 ? null : { allowed, used, remaining, resetsAtMs };
  });
  if (asked.length > 0) void settle(asked, run(trip, asked));
  return Promise.all(uses);
}

async function settle(asked: Asked[], counting: Promise<number[]>): Promise<void> {
  try {
    const used = await counting;
    for (const [at, { args, resolve }] of asked.entries()) resolve([used[at] ?? 0, args[0]]);
  } catch (error) {
    for (const { reject } of asked) reject(error);
  }
}

async function run(trip: RoundTrip, asked: Asked[]): Promise<number[]> {
  const keys = asked.map(({ key }) => key);
  const args = asked.flatMap((one) => one.args);
  try {
    return await trip.evalsha<number[]>(countSha1, keys, args);
  } catch (error) {
    if (!String(error).includes("NOSCRIPT")) throw error;
    return trip.eval<number[]>(count, keys, args);
  }
}

/** For each key its maximum, its window in ms, and whether it is a ceiling: those come after the others. */
const count = script(`
local counts, isWithin = {}, true
for pass = 0, 1 do
  for i, key in ipairs(KEYS) do
    if tonumber(ARGV[3 * i]) == pass then
      counts[i] = 0
      if pass == 0 or isWithin then
        counts[i] = redis.call("INCR", key)
        if counts[i] == 1 then redis.call("PEXPIRE", key, ARGV[3 * i - 1]) end
        if counts[i] > tonumber(ARGV[3 * i - 2]) then isWithin = false end
      end
    end
  end
end
return counts`);

const countSha1 = createHash("sha1").update(count).digest("hex");

function limiterOf(limit: Limit, evalsha: unknown): Ratelimit {
  return new Ratelimit({
    // The limiter only evaluates its script.
    redis: { evalsha } as ConstructorParameters<typeof Ratelimit>[0]["redis"],
    limiter: fixedWindow(limit.max, limit.windowMs),
    prefix: `rate:${limit.policy}`,
    // A cache would go on blocking after `DEL rate:<key>`; the timeout would let everybody pass.
    ephemeralCache: false,
    timeout: 0,
    analytics: false,
  });
}

const windows = new Map<string, ReturnType<typeof Ratelimit.fixedWindow>>();

function fixedWindow(max: number, windowMs: number) {
  const name = `${max}/${windowMs}`;
  const known = windows.get(name) ?? Ratelimit.fixedWindow(max, `${windowMs} ms`);
  windows.set(name, known);
  return known;
}
