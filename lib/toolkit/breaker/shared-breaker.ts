import { redis } from "../../redis/client.js";
import { script } from "../../redis/round-trip.js";
import { type BreakerMode, thresholds } from "./state.js";

/** What is counted beside the gate's field, which alone every request reads. */
const breakerKey = "breaker:toolkit";
const keys = ["gate", breakerKey];

export type Transition = "opened" | "closed" | "none";

/**
 * Count failed attempts of a caller who saw the breaker closed in `generation`, and the attempts that
 * its process has made since it last told. Opens it when enough of the window's attempts have failed;
 * counts that belong to a state before are dropped.
 */
export async function reportFailures(
  now: Date,
  seen: { generation: number; failures: number; calls: number; retryAfterMs: number },
): Promise<Transition> {
  const { windowMs, callsMin, failuresPercent, openMs, openMsMax } = thresholds;
  const { generation, failures, calls, retryAfterMs } = seen;
  const opened = await redis().eval<(string | number)[], number>(report, keys, [
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

/** Become the one who probes, for at most `leaseMs`. False while somebody else is, or it is too early. */
export async function acquireProbe(
  now: Date,
  { generation, holder, leaseMs }: { generation: number; holder: string; leaseMs: number },
): Promise<boolean> {
  const acquired = await redis().eval<(string | number)[], number>(acquire, keys, [
    now.getTime(),
    generation,
    holder,
    leaseMs,
  ]);
  return acquired === 1;
}

/** Tell what the probe found. Changes nothing where its lease has gone to another. */
export async function settleProbe(
  now: Date,
  probe: { generation: number; holder: string; isHealthy: boolean; retryAfterMs: number },
): Promise<Transition> {
  const { generation, holder, isHealthy, retryAfterMs } = probe;
  const { openMs, openMsMax } = thresholds;
  const settled = await redis().eval<(string | number)[], number>(settle, keys, [
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

/** Hold it open or closed, or with `closed` let it decide by itself again, with nothing counted. */
export async function setBreaker(mode: Exclude<BreakerMode, "open">): Promise<void> {
  await redis().eval(set, keys, [mode]);
}

export interface BreakerRecord {
  field: string | null;
  /** Openings in a row. */
  openings: number;
  /** When the first of them was, in ms; 0 when there is none. */
  openedAtMs: number;
  /** Failed attempts in the present window. */
  failures: number;
  /** Until when somebody probes, in ms; 0 when nobody does. */
  probeUntilMs: number;
}

export async function readBreaker(): Promise<BreakerRecord> {
  const pipeline = redis().pipeline();
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

/** Whole numbers in full: Lua would write a moment as 1.7e+12. */
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
