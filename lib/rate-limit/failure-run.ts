import type { Context } from "../context.js";
import { roundTrip } from "../redis/client.js";
import { script } from "../redis/round-trip.js";
import type { Count, Reservation } from "./count.js";
import type { LimitKind } from "./policies.js";

export const failuresOfRun = 10;

const minutes = 60_000;

/** How long a run lasts from its first failure. */
const runMs: Partial<Record<LimitKind, number>> = {
  ip: 10 * minutes,
  // The delays of an account let ten guesses through in a quarter of an hour, and never in ten minutes.
  account: 20 * minutes,
};

/**
 * By what a failed attempt was the tenth of a run: each run is told of once. Asked after the reply, when
 * it is certain which attempts failed. While Redis is away the windows of the limits stand for runs.
 */
export async function countFailure(ctx: Context, reserved: Reservation): Promise<LimitKind[]> {
  const sources = reserved.counts.filter(({ limit }) => runMs[limit.kind] !== undefined);
  if (sources.length === 0) return [];
  const isTenth = await (reserved.countedIn === "redis"
    ? countInRedis(ctx, sources)
    : sources.map(isTenthCounted));
  return sources.flatMap(({ limit }, index) => (isTenth[index] ? [limit.kind] : []));
}

async function countInRedis(ctx: Context, sources: Count[]): Promise<boolean[]> {
  const trip = roundTrip(ctx);
  const counting = sources.map(({ limit: { kind }, value }) =>
    trip.script<number>(
      count,
      [`failures:${kind}:${value}`],
      [ctx.now.getTime(), runMs[kind] ?? 0],
    ),
  );
  const [failures] = await Promise.all([Promise.all(counting), trip.send()]);
  return failures.map((failed) => failed === failuresOfRun);
}

const isTenthCounted = ({ allowed, used }: Count) => allowed && used === failuresOfRun;

const count = script(`
local now, lasts = tonumber(ARGV[1]), tonumber(ARGV[2])
local began = tonumber(redis.call("HGET", KEYS[1], "beganMs") or 0)
if now - began >= lasts then
  redis.call("HSET", KEYS[1], "beganMs", ARGV[1], "failures", 0)
  redis.call("PEXPIRE", KEYS[1], lasts)
end
return redis.call("HINCRBY", KEYS[1], "failures", 1)`);
