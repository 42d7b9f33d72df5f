import { gateKey, msOf } from "./gate.js";
import { type RoundTrip, script } from "./round-trip.js";

const oldestMs = Date.UTC(2020, 0, 1);
const aheadMsMax = 60_000;
const ignoredField = "ignoredRevokeAllBefore";

/**
 * Why a moment that ends all sessions cannot be meant; null for one that can. 0 says that there was none.
 * A digit too many would end every session for ever, and seconds in place of milliseconds end none.
 */
export function implausibility(ms: number, redisNowMs: number): string | null {
  if (ms === 0) return null;
  if (!Number.isSafeInteger(ms)) return "it is not a number of milliseconds";
  if (ms < oldestMs) return "it is before 2020; it takes milliseconds";
  const aheadMs = ms - redisNowMs;
  return aheadMs > aheadMsMax
    ? `it is ${Math.round(aheadMs / 1000)} s ahead of Redis' clock`
    : null;
}

/** Redis' own clock, asked within `trip`, in ms. */
export async function readClock(trip: RoundTrip): Promise<number> {
  const [seconds, microseconds] = await trip.command<(string | number)[]>("TIME");
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/**
 * Lua: put the moment `ms` into the gate `key` unless a later one stands there. One that cannot be meant
 * gives way, and is kept aside for operators to see; the rules are those of `implausibility`.
 */
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

const raise = script(`${raiseRevokeAllLua}
raiseRevokeAll(KEYS[1], ARGV[1])`);

/** The same within `trip`. Doing it twice is harmless. */
export async function raiseRevokeAll(trip: RoundTrip, ms: number): Promise<void> {
  await trip.script(raise, [gateKey], [ms]);
}

/** The moment that ends all sessions, as Redis holds it. */
export interface RevokeAllHeld {
  held: string | null;
  /** Why it is ignored; null where it counts. */
  why: string | null;
  /** The last one that was ignored and has given way. */
  ignored: string | null;
}

/** Read it within `trip`: two commands. */
export async function readRevokeAll(trip: RoundTrip): Promise<RevokeAllHeld> {
  const [[held = null, ignored = null], nowMs] = await Promise.all([
    trip.hashFields(gateKey, "revokeAllBefore", ignoredField),
    readClock(trip),
  ]);
  return { held, ignored, why: held === null ? null : implausibility(msOf(held), nowMs) };
}

/** Forget the one that was ignored: an operator has set the moment, or written the record again. */
export async function forgetIgnored(trip: RoundTrip): Promise<void> {
  await trip.command("HDEL", gateKey, ignoredField);
}
