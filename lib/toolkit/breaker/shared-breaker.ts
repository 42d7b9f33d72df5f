import { script } from "../../redis/round-trip.js";
import { redis } from "../../redis/upstash-client.js";
import { type BreakerMode, thresholds } from "./state.js";

/** Only the field in `gate` is read by every request; the counters have a key of their own. */
const breakerKey = "breaker:toolkit";
const keys = ["gate", breakerKey];

export type Transition = "opened" | "closed" | "none";

/** Opens the breaker when enough attempts in the window failed. Reports for an older generation are dropped. */
export async function reportFailures(
  now: Date,
  seen: { generation: number; failures: number; calls: number; retryAfterMs: number },
): Promise<Transition> {
  const { windowMs, callsMin, failuresPercent, openMs, openMsMax } = thresholds;
  const { generation, failures, calls, retryAfterMs } = seen;
  const client = await redis();
  const opened = await client.eval<(string | number)[], number>(report, keys, [
    now.getTime(),
    generation,
    failures,
    calls,
    retryAfterMs,
    windowMs,
    callsMin,
    failuresPercent,
    openMs,
    openMsMax,
    Math.random(),
  ]);
  return opened === 1 ? "opened" : "none";
}

/** Lease of the probe. False when another process has it, it is too early, or the breaker has changed. */
export async function acquireProbe(
  now: Date,
  { generation, holder, leaseMs }: { generation: number; holder: string; leaseMs: number },
): Promise<boolean> {
  const client = await redis();
  const acquired = await client.eval<(string | number)[], number>(acquire, keys, [
    now.getTime(),
    generation,
    holder,
    leaseMs,
  ]);
  return acquired === 1;
}

/** Closes the breaker, or opens it for longer. No effect when another process has the lease, or the breaker has changed. */
export async function settleProbe(
  now: Date,
  probe: { generation: number; holder: string; isHealthy: boolean; retryAfterMs: number },
): Promise<Transition> {
  const { generation, holder, isHealthy, retryAfterMs } = probe;
  const { openMs, openMsMax } = thresholds;
  const client = await redis();
  const settled = await client.eval<(string | number)[], number>(settle, keys, [
    now.getTime(),
    generation,
    holder,
    isHealthy ? 1 : 0,
    retryAfterMs,
    openMs,
    openMsMax,
    Math.random(),
  ]);
  return (["none", "opened", "closed"] as const)[settled] ?? "none";
}

/** Also resets the counters. `closed`: automatic again. */
export async function setBreaker(mode: Exclude<BreakerMode, "open">): Promise<void> {
  const client = await redis();
  await client.eval(set, keys, [mode]);
}

export interface BreakerRecord {
  field: string | null;
  openings: number;
  /** The first of them, in ms; 0 for none. */
  openedAtMs: number;
  failures: number;
  probeUntilMs: number;
}

export async function readBreaker(): Promise<BreakerRecord> {
  const client = await redis();
  const pipeline = client.pipeline();
  pipeline.hmget("gate", breakerKey);
  pipeline.hmget(breakerKey, "openings", "openedAt", "failures", "probeUntil");
  const [gate, counted] = await pipeline.exec<(Record<string, unknown> | null)[]>();
  const field = gate?.[breakerKey];
  return {
    field: field === undefined || field === null ? null : String(field),
    openings: Number(counted?.openings ?? 0),
    openedAtMs: Number(counted?.openedAt ?? 0),
    failures: Number(counted?.failures ?? 0),
    probeUntilMs: Number(counted?.probeUntil ?? 0),
  };
}

/** `whole`: Lua would format a time as 1.7e+12. */
const shared = `
local whole = function (number) return string.format("%.0f", number) end
local field = redis.call("HGET", KEYS[1], KEYS[2]) or "closed:0:0"
local mode, generation, till = string.match(field, "^([a-z_]+):(%d+):(%d+)$")
if not mode then mode, generation, till = "closed", "0", "0" end
local open = function (now, openings, base, longest, random, atLeast)
  local lasting = math.min(base * 2 ^ (openings - 1), longest) * (1 + random / 2)
  local untilMs = now + math.max(lasting, atLeast)
  redis.call("HSET", KEYS[1], KEYS[2], "open:" .. whole(generation + 1) .. ":" .. whole(untilMs))
  local openedAt = redis.call("HGET", KEYS[2], "openedAt") or whole(now)
  redis.call("DEL", KEYS[2])
  redis.call("HSET", KEYS[2], "openings", whole(openings), "openedAt", openedAt)
end`;

const report = script(`${shared}
local now = tonumber(ARGV[1])
if mode ~= "closed" or generation ~= ARGV[2] then return 0 end
local began = tonumber(redis.call("HGET", KEYS[2], "windowBegan") or 0)
if now - began >= tonumber(ARGV[6]) then
  redis.call("DEL", KEYS[2])
  redis.call("HSET", KEYS[2], "windowBegan", whole(now))
end
local failures = redis.call("HINCRBY", KEYS[2], "failures", ARGV[3])
local calls = redis.call("HINCRBY", KEYS[2], "calls", ARGV[4])
if calls >= tonumber(ARGV[7]) and failures * 100 >= calls * tonumber(ARGV[8]) then
  open(now, 1, tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[5]))
  return 1
end
redis.call("PEXPIRE", KEYS[2], 2 * ARGV[6])
return 0`);

const acquire = script(`${shared}
local now = tonumber(ARGV[1])
if mode ~= "open" or generation ~= ARGV[2] or tonumber(till) > now then return 0 end
if tonumber(redis.call("HGET", KEYS[2], "probeUntil") or 0) > now then return 0 end
redis.call("HSET", KEYS[2], "probe", ARGV[3], "probeUntil", whole(now + ARGV[4]))
return 1`);

const settle = script(`${shared}
if mode ~= "open" or generation ~= ARGV[2] then return 0 end
if redis.call("HGET", KEYS[2], "probe") ~= ARGV[3] then return 0 end
if ARGV[4] == "1" then
  redis.call("HSET", KEYS[1], KEYS[2], "closed:" .. whole(generation + 1) .. ":0")
  redis.call("DEL", KEYS[2])
  return 2
end
local openings = tonumber(redis.call("HGET", KEYS[2], "openings") or 0) + 1
local now, atLeast = tonumber(ARGV[1]), tonumber(ARGV[5])
open(now, openings, tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), atLeast)
return 1`);

const set = script(`${shared}
redis.call("HSET", KEYS[1], KEYS[2], ARGV[1] .. ":" .. whole(generation + 1) .. ":0")
redis.call("DEL", KEYS[2])
return 1`);
