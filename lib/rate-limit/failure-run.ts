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
  const counting = sources.map(({ limit: { kind }, value }) =>
    trip.script<number>(
      incrementScript,
      [`failures:${kind}:${value}`],
      [ctx.now.getTime(), runDurationMs[kind] ?? 0],
    ),
  );
  const [failures] = await Promise.all([Promise.all(counting), trip.send()]);
  return failures.map((failed) => failed === failuresPerRun);
}

const isTenthFailure = ({ allowed, used }: LimitCount) => allowed && used === failuresPerRun;

const incrementScript = script(`
local now, lasts = tonumber(ARGV[1]), tonumber(ARGV[2])
local began = tonumber(redis.call("HGET", KEYS[1], "beganMs") or 0)
if now - began >= lasts then
  redis.call("HSET", KEYS[1], "beganMs", ARGV[1], "failures", 0)
  redis.call("PEXPIRE", KEYS[1], lasts)
end
return redis.call("HINCRBY", KEYS[1], "failures", 1)`);
