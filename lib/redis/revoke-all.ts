import { gateKey, parseMs } from "./gate.js";
import { type RoundTrip, script } from "./round-trip.js";

const oldestMs = Date.UTC(2020, 0, 1);
const aheadMsMax = 60_000;
const ignoredField = "ignoredRevokeAllBefore";

/** Detects a digit too many and seconds instead of milliseconds. Null for a plausible value. */
export function implausibleReason(ms: number, redisNowMs: number): string | null {
  if (ms === 0) return null;
  if (!Number.isSafeInteger(ms)) return "it is not an integer number of milliseconds";
  if (ms < oldestMs) return "it is before 2020 (it must be in milliseconds)";
  const aheadMs = ms - redisNowMs;
  return aheadMs > aheadMsMax
    ? `it is ${Math.round(aheadMs / 1000)} s ahead of the clock of Redis`
    : null;
}

/** In epoch ms. */
export async function readClock(trip: RoundTrip): Promise<number> {
  const [seconds, microseconds] = await trip.command<(string | number)[]>("TIME");
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/** Lua: the later timestamp wins; an implausible one (see `implausibleReason`) is replaced and kept aside. */
export const raiseRevokeAllLua = `
local function raiseRevokeAll(key, ms)
  local text = redis.call("HGET", key, "revokeAllBefore")
  local held = text and tonumber(text)
  local nowMs = tonumber(redis.call("TIME")[1]) * 1000
  local isMeant = held and held == math.floor(held) and
    (held == 0 or (held >= ${oldestMs} and held <= nowMs + ${aheadMsMax}))
  if text and not isMeant and text ~= ms then
    redis.call("HSET", key, "${ignoredField}", text)
  end
  if not isMeant or held < tonumber(ms) then redis.call("HSET", key, "revokeAllBefore", ms) end
end`;

const raiseScript = script(`${raiseRevokeAllLua}
raiseRevokeAll(KEYS[1], ARGV[1])`);

export async function raiseRevokeAll(trip: RoundTrip, ms: number): Promise<void> {
  await trip.script(raiseScript, [gateKey], [ms]);
}

export interface RevokeAllState {
  value: string | null;
  problem: string | null;
  /** The implausible value that was replaced. */
  ignored: string | null;
}

export async function readRevokeAll(trip: RoundTrip): Promise<RevokeAllState> {
  const [[held = null, ignored = null], nowMs] = await Promise.all([
    trip.hashFields(gateKey, "revokeAllBefore", ignoredField),
    readClock(trip),
  ]);
  return {
    value: held,
    ignored,
    problem: held === null ? null : implausibleReason(parseMs(held), nowMs),
  };
}

export async function clearIgnoredRevokeAll(trip: RoundTrip): Promise<void> {
  await trip.command("HDEL", gateKey, ignoredField);
}
