import { type RoundTrip, script } from "../redis/round-trip.js";
import type { Count } from "./limiter.js";
import type { Limit } from "./policies.js";

/** `rate:<policy>:<kind>:<value>`: one delay for each value, whatever the time. */
export function delayKey({ policy, kind }: Limit, value: string): string {
  return `rate:${policy}:${kind}:${value}`;
}

/**
 * Count an attempt as failed before it is made, unless the value is in a delay: then nothing is counted
 * and `resetsAtMs` says how long it lasts. One script, so that no number of attempts at once gets more
 * than one of them through.
 */
export async function reserveAttempt(
  trip: RoundTrip,
  limit: Limit,
  value: string,
  now: Date,
): Promise<Count> {
  const { max, windowMs, delaysMs = [] } = limit;
  const args = [now.getTime(), windowMs, max, ...delaysMs];
  const [allowed, failures, delayedUntilMs] = await trip.script<[number, number, number]>(
    reserve,
    [delayKey(limit, value)],
    args,
  );
  return delayCount(limit, value, now, { allowed: allowed === 1, failures, delayedUntilMs });
}

/** The attempt was not made, or did not fail by the caller's doing: as if it had not been counted. */
export async function giveBackAttempt(trip: RoundTrip, count: Count): Promise<void> {
  const { limit, value, allowed, resetsAtMs } = count;
  if (allowed) await trip.script(giveBack, [delayKey(limit, value)], [limit.max, resetsAtMs]);
}

export async function forgetFailures(trip: RoundTrip, { limit, value }: Count): Promise<void> {
  await trip.command("DEL", delayKey(limit, value));
}

export function delayCount(
  limit: Limit,
  value: string,
  now: Date,
  state: { allowed: boolean; failures: number; delayedUntilMs: number },
): Count {
  const { allowed, failures, delayedUntilMs } = state;
  return {
    limit,
    value,
    allowed,
    used: failures,
    remaining: Math.max(0, limit.max - failures),
    resetsAtMs: delayedUntilMs > 0 ? delayedUntilMs : now.getTime() + limit.windowMs,
  };
}

const reserve = script(`
local now, window, max = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local failures = tonumber(redis.call("HGET", KEYS[1], "failures") or 0)
local delayed = tonumber(redis.call("HGET", KEYS[1], "delayedUntilMs") or 0)
if delayed > now then return {0, failures, delayed} end
failures = failures + 1
delayed = 0
local step = math.min(failures - max + 1, #ARGV - 3)
if step > 0 then delayed = now + tonumber(ARGV[3 + step]) end
redis.call("HSET", KEYS[1], "failures", failures, "delayedUntilMs", string.format("%.0f", delayed))
redis.call("PEXPIRE", KEYS[1], window)
return {1, failures, delayed}`);

/** The delay goes too where this attempt began it, or where it has no reason left. */
const giveBack = script(`
local failures = tonumber(redis.call("HGET", KEYS[1], "failures") or 0) - 1
if failures < 1 then return redis.call("DEL", KEYS[1]) end
redis.call("HSET", KEYS[1], "failures", failures)
local delayed = redis.call("HGET", KEYS[1], "delayedUntilMs")
if failures < tonumber(ARGV[1]) or delayed == ARGV[2] then
  redis.call("HSET", KEYS[1], "delayedUntilMs", 0)
end`);
