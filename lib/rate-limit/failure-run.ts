import type { Context } from "../context.js";
import { roundTrip } from "../redis/client.js";
import { script } from "../redis/round-trip.js";
import type { LimitCount, Reservation } from "./count.js";
import type { LimitKind } from "./policies.js";

export const failuresPerRun = 10;

const minuteMs = 60_000;

/** Counted from the first failure. */
const runDurationMs: Partial<Record<LimitKind, number>> = {
  ip: 10 * minuteMs,
  // The delays allow ten guesses at an account in 15 minutes, never in ten.
  account: 20 * minuteMs,
};

export const failuresKey = (kind: LimitKind, value: string) => `failures:${kind}:${value}`;

/** Counts a failure; returns the kinds for which it was the tenth of its run. Without Redis, of the limit's window. */
export async function countFailure(ctx: Context, reserved: Reservation): Promise<LimitKind[]> {
  const sources = reserved.counts.filter(({ limit }) => runDurationMs[limit.kind] !== undefined);
  if (sources.length === 0) return [];
  const isTenth = await (reserved.countedIn === "redis"
    ? countInRedis(ctx, sources)
    : sources.map(isTenthFailure));
  return sources.flatMap(({ limit }, index) => (isTenth[index] ? [limit.kind] : []));
}

async function countInRedis(ctx: Context, sources: LimitCount[]): Promise<boolean[]> {
  const trip = roundTrip(ctx);
  const keys = sources.map(({ limit: { kind }, value }) => failuresKey(kind, value));
  const durations = sources.map(({ limit: { kind } }) => runDurationMs[kind] ?? 0);
  const [failures] = await Promise.all([
    trip.script<number[]>(incrementScript, keys, [ctx.now.getTime(), ...durations]),
    trip.send(),
  ]);
  return failures.map((failed) => failed === failuresPerRun);
}

const isTenthFailure = ({ allowed, used }: LimitCount) => allowed && used === failuresPerRun;

/** ARGV: now, then the duration of each key's run. */
const incrementScript = script(`
local now, failures = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
  local lasts = tonumber(ARGV[i + 1])
  local began = tonumber(redis.call("HGET", key, "beganMs") or 0)
  if now - began >= lasts then
    redis.call("HSET", key, "beganMs", ARGV[1], "failures", 0)
    redis.call("PEXPIRE", key, lasts)
  end
  failures[i] = redis.call("HINCRBY", key, "failures", 1)
end
return failures`);
