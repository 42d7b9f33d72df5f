import { type RoundTrip, script } from "../redis/round-trip.js";
import type { LimitCount, LimitValues } from "./count.js";
import type { Limit } from "./policies.js";

export function delayKey({ policy, kind }: Limit, value: string): string {
  return `rate:${policy}:${kind}:${value}`;
}

/** Counted as failed in advance, in one script: concurrent attempts cannot avoid the delay. Not counted during a delay. */
export async function reserveAttempt(
  trip: RoundTrip,
  limit: Limit,
  value: string,
  { ip = "", device = "", now }: Pick<LimitValues, "ip" | "device"> & { now: Date },
): Promise<LimitCount> {
  const { max, windowMs, delaysMs = [] } = limit;
  const args = [now.getTime(), windowMs, max, ip, device, ...delaysMs];
  const [allowed, failures, delayedUntilMs, pass] = await trip.script<number[]>(
    reserveScript,
    [delayKey(limit, value)],
    args,
  );
  return delayCount(limit, value, now, {
    allowed: allowed === 1,
    failures: failures ?? 0,
    delayedUntilMs: delayedUntilMs ?? 0,
    tookPass: pass === 1,
  });
}

/** For an attempt that was not made or did not fail because of the caller. */
export async function releaseAttempt(trip: RoundTrip, count: LimitCount): Promise<void> {
  const { limit, value, allowed, resetsAtMs, usedPass } = count;
  const key = delayKey(limit, value);
  if (usedPass) await trip.script(releasePassScript, [key], []);
  else if (allowed) await trip.script(releaseScript, [key], [limit.max, resetsAtMs]);
}

/** Exempts the IP address or device that reset the password from a delay, once. */
export interface DelayPass {
  /** Null when the address is unknown. */
  ip: string | null;
  device: string | null;
}

export const passMs = 10 * 60_000;

/** Also deletes the failures and the delay. */
export async function grantPass(
  trip: RoundTrip,
  limit: Limit,
  value: string,
  { ip, device, now }: DelayPass & { now: Date },
): Promise<void> {
  const args = [ip ?? "", device ?? "", now.getTime() + passMs, passMs];
  await trip.script(grantScript, [delayKey(limit, value)], args);
}

export async function clearFailures(trip: RoundTrip, { limit, value }: LimitCount): Promise<void> {
  await trip.command("DEL", delayKey(limit, value));
}

export function delayCount(
  limit: Limit,
  value: string,
  now: Date,
  state: { allowed: boolean; failures: number; delayedUntilMs: number; tookPass: boolean },
): LimitCount {
  const { allowed, failures, delayedUntilMs, tookPass } = state;
  return {
    limit,
    value,
    allowed,
    used: failures,
    remaining: Math.max(0, limit.max - failures),
    resetsAtMs: delayedUntilMs > 0 ? delayedUntilMs : now.getTime() + limit.windowMs,
    ...(tookPass && { usedPass: tookPass }),
  };
}

const reserveScript = script(`
local now, window, max = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local state = redis.call("HMGET", KEYS[1], "failures", "delayedUntilMs")
local failures, delayed = tonumber(state[1] or 0), tonumber(state[2] or 0)
if delayed > now then
  local pass = redis.call("HMGET", KEYS[1], "passUntilMs", "passTaken", "passIp", "passDevice")
  local isCallers = ARGV[4] ~= "" and pass[3] == ARGV[4] or ARGV[5] ~= "" and pass[4] == ARGV[5]
  if tonumber(pass[1] or 0) > now and not pass[2] and isCallers then
    redis.call("HSET", KEYS[1], "passTaken", 1)
    return {1, failures, delayed, 1}
  end
  return {0, failures, delayed, 0}
end
failures = failures + 1
delayed = 0
local step = math.min(failures - max + 1, #ARGV - 5)
if step > 0 then delayed = now + tonumber(ARGV[5 + step]) end
redis.call("HSET", KEYS[1], "failures", failures, "delayedUntilMs", string.format("%.0f", delayed))
redis.call("PEXPIRE", KEYS[1], window)
return {1, failures, delayed, 0}`);

/** Also ends the delay if this attempt started it. */
const releaseScript = script(`
local failures = tonumber(redis.call("HGET", KEYS[1], "failures") or 0) - 1
if failures < 1 and redis.call("HEXISTS", KEYS[1], "passUntilMs") == 0 then
  return redis.call("DEL", KEYS[1])
end
redis.call("HSET", KEYS[1], "failures", math.max(failures, 0))
local delayed = redis.call("HGET", KEYS[1], "delayedUntilMs")
if failures < tonumber(ARGV[1]) or delayed == ARGV[2] then
  redis.call("HSET", KEYS[1], "delayedUntilMs", 0)
end`);

const releasePassScript = script(`redis.call("HDEL", KEYS[1], "passTaken")`);

const grantScript = script(`
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "passIp", ARGV[1], "passDevice", ARGV[2], "passUntilMs", ARGV[3])
redis.call("PEXPIRE", KEYS[1], ARGV[4])`);
