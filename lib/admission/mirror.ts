import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { securitySettings } from "../db/schema/gate.js";
import { timestampOfMs } from "../db/timestamp.js";
import { redisCopyOutdated } from "../observability/log-lines/gate.js";
import { blocksKeys, mirrorMark, replacedKeys } from "../redis/blocks.js";
import { roundTrip } from "../redis/client.js";
import { enforce, enforceTimeoutMs } from "../redis/enforce.js";
import { gateKey } from "../redis/gate.js";
import { raiseRevokeAllLua } from "../redis/revoke-all.js";
import { script } from "../redis/round-trip.js";
import { flagsText } from "./flags.js";
import { readRecorded } from "./recorded-rules.js";

/** Longer than a restore takes. */
const replacedSeconds = 7 * 86_400;

/**
 * Atomic. Writes only over an older version, or over the version `seen` before Postgres was read: that one is newer
 * only if Postgres was restored from a backup, and what it replaces is kept for `restore finish`. The later revoke-all
 * cutoff wins, because operators can set it in Redis directly. A restore that has begun in either store is in progress in
 * both, until it is finished in Postgres; the latest end counts, because another call may have read Postgres before it.
 * SADD in chunks: Lua's unpack fails at about 8000 values.
 */
const write = script(`${raiseRevokeAllLua}
local function mayWrite(name, version, seen)
  local held = redis.call("HGET", KEYS[3], name) or "0"
  return tonumber(held) <= tonumber(version) or held == seen
end
local function isNewer(name, version)
  return tonumber(redis.call("HGET", KEYS[3], name) or "0") > tonumber(version)
end
if mayWrite("flags", ARGV[1], ARGV[2]) then
  local before = redis.call("HGET", KEYS[1], "flags")
  if before and isNewer("flags", ARGV[1]) then
    redis.call("SET", KEYS[5], before, "NX", "EX", ${replacedSeconds})
  end
  redis.call("HSET", KEYS[1], "flags", ARGV[3])
  redis.call("HSET", KEYS[3], "flags", ARGV[1])
end
raiseRevokeAll(KEYS[1], ARGV[6])
local finished = math.max(tonumber(redis.call("HGET", KEYS[3], "restored") or 0), tonumber(ARGV[8]))
if finished > 0 then redis.call("HSET", KEYS[3], "restored", string.format("%.0f", finished)) end
local begun = tonumber(redis.call("HGET", KEYS[1], "restore") or 0)
if begun <= finished then
  redis.call("HDEL", KEYS[1], "restore")
  begun = 0
end
if begun == 0 and tonumber(ARGV[7]) > finished then
  redis.call("HSET", KEYS[1], "restore", ARGV[7])
end
if mayWrite("blocks", ARGV[4], ARGV[5]) then
  if isNewer("blocks", ARGV[4]) then
    redis.call("SUNIONSTORE", KEYS[4], KEYS[4], KEYS[2])
    redis.call("EXPIRE", KEYS[4], ${replacedSeconds})
  end
  redis.call("DEL", KEYS[2])
  for from = 9, #ARGV, 1000 do
    redis.call("SADD", KEYS[2], unpack(ARGV, from, math.min(from + 999, #ARGV)))
  end
  redis.call("HSET", KEYS[3], "blocks", ARGV[4])
end
return begun`);

/** Copy flags, blocks and the revoke-all cutoff from Postgres. Safe to repeat or run late. Rejects when a store is down. */
export async function copyGateToRedis(ctx: Context): Promise<{ blocks: number }> {
  // Read first: what Redis has now cannot be newer than what is read from Postgres next.
  const seen = await readVersions(ctx);
  const { flags, blocks, revokeAllBeforeMs, restore } = await readRecorded(ctx);
  const trip = roundTrip(ctx);
  const text = flagsText(flags.version, flags.rows);
  const ofFlags = [flags.version, seen.flags, text];
  const ofBlocks = [blocks.version, seen.blocks];
  const settings = [revokeAllBeforeMs, restore.begunMs, restore.finishedMs];
  const args = [...ofFlags, ...ofBlocks, ...settings, mirrorMark, ...blocks.values];
  const [begunMs] = await Promise.all([
    trip.script<number>(write, [gateKey, ...blocksKeys, ...replacedKeys], args),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
  // The restored database does not know that its restore has begun.
  if (begunMs > restore.begunMs) await recordBegunRestore(ctx, begunMs);
  return { blocks: blocks.values.length };
}

/** Whether Redis has at least this version. Never rejects: false while Redis does not answer. */
export async function isInRedis(
  ctx: Context,
  name: "flags" | "blocks",
  version: number,
): Promise<boolean> {
  return readVersions(ctx).then(
    (held) => Number(held[name]) >= version,
    () => false,
  );
}

async function readVersions(ctx: Context): Promise<Record<"flags" | "blocks", string>> {
  const trip = roundTrip(ctx);
  const [[flags, blocks]] = await Promise.all([
    trip.hashFields(blocksKeys[1], "flags", "blocks"),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
  return { flags: flags ?? "0", blocks: blocks ?? "0" };
}

/** Like `copyGateToRedis`, right after a change; retried until Redis accepts it. Never rejects. */
export async function copyChangeToRedis(ctx: Context): Promise<void> {
  await enforce(
    ctx,
    () => copyGateToRedis(ctx),
    (error) => redisCopyOutdated(ctx.correlationId, error),
  );
}

async function recordBegunRestore({ db }: Context, begunMs: number): Promise<void> {
  const begunAt = sql`greatest(${securitySettings.restoreBegunAt}, ${timestampOfMs(begunMs)})`;
  await db.update(securitySettings).set({ restoreBegunAt: begunAt });
}
