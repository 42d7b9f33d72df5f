import { createHash } from "node:crypto";
import { Ratelimit } from "@upstash/ratelimit";
import { memoizeByObject } from "../memoize-by-object.js";
import { type RoundTrip, script } from "../redis/round-trip.js";
import type { Limit } from "./policies.js";

interface WindowUse {
  allowed: boolean;
  /** At most `max`. */
  used: number;
  remaining: number;
  resetsAtMs: number;
}

interface PendingCount {
  key: string;
  args: [max: number, windowMs: number, isCeiling: 0 | 1];
  resolve(answer: [used: number, max: number]): void;
  reject(error: unknown): void;
}

/** Count the request in each window, all in one script. Null for a ceiling that did not count it. */
export function countInWindows(
  trip: RoundTrip,
  windows: { limit: Limit; identifier: string }[],
): Promise<(WindowUse | null)[]> {
  const pending: PendingCount[] = [];
  called = pending;
  const uses = windows.map(async ({ limit, identifier }) => {
    const { success: allowed, remaining, reset } = await fixedWindowOf(limit)(identifier);
    const used = limit.max - remaining;
    return used === 0 ? null : { allowed, used, remaining, resetsAtMs: reset };
  });
  if (pending.length !== windows.length) throw new Error("A limiter did not call Redis at once.");
  if (pending.length > 0) void settle(pending, runScript(trip, pending));
  return Promise.all(uses);
}

/** What the limiters call now: they call Redis before their first `await`. */
let called: PendingCount[] = [];

async function settle(pending: PendingCount[], counting: Promise<number[]>): Promise<void> {
  try {
    const used = await counting;
    for (const [at, { args, resolve }] of pending.entries()) resolve([used[at] ?? 0, args[0]]);
  } catch (error) {
    for (const { reject } of pending) reject(error);
  }
}

async function runScript(trip: RoundTrip, pending: PendingCount[]): Promise<number[]> {
  const keys = pending.map(({ key }) => key);
  const args = pending.flatMap((one) => one.args);
  try {
    return await trip.evalsha<number[]>(countSha1, keys, args);
  } catch (error) {
    if (!String(error).includes("NOSCRIPT")) throw error;
    return trip.eval<number[]>(countScript, keys, args);
  }
}

/** ARGV per key: max, window in ms, whether it is a ceiling. Ceilings count last. */
const countScript = script(`
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

const countSha1 = createHash("sha1").update(countScript).digest("hex");

/** Without the package's cache, which would still block after `DEL rate:<key>`, and its timeout, which would allow everything. */
const fixedWindowOf = memoizeByObject((limit: Limit) => {
  const evalsha = (_sha1: string, [key = ""]: string[], [max = 0, windowMs = 0]: number[]) =>
    new Promise<[used: number, max: number]>((resolve, reject) => {
      called.push({ key, args: [max, windowMs, limit.isCeiling ? 1 : 0], resolve, reject });
    });
  const prefix = `rate:${limit.policy}`;
  const window = Ratelimit.fixedWindow(limit.max, `${limit.windowMs} ms`)();
  // It uses nothing of Redis but evalsha.
  const context = { redis: { evalsha }, prefix } as unknown as Parameters<typeof window.limit>[0];
  return (identifier: string) => window.limit(context, `${prefix}:${identifier}`);
});
