import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { loginDelays, rateLimits } from "../../db/schema/limits.js";
import { redisUnavailable } from "../../observability/log-lines/stores.js";
import { parseCounterKey } from "../../rate-limit/counter-key.js";
import { type Limit, limitsOf } from "../../rate-limit/policies.js";
import { roundTrip } from "../../redis/client.js";

/** `key` is the Redis key, as `redis-cli KEYS rate:*` shows it. */
export const RateLimitCounter = z.strictObject({
  key: z.string(),
  policy: z.string(),
  kind: z.string(),
  /** Strict limits are counted in Postgres while Redis is down. */
  countedIn: z.enum(["redis", "postgres"]),
  used: z.int(),
  max: z.int().nullable(),
  /** When the window or the delay ends; null without a delay. */
  until: z.iso.datetime().nullable(),
  refuses: z.boolean(),
});
export type RateLimitCounter = z.infer<typeof RateLimitCounter>;

const keysPerScan = "10000";
const scansMax = 1000;

export const RateLimitCounters = z.strictObject({
  counters: z.array(RateLimitCounter),
  /** False when Redis could not be read: only the counters in Postgres are listed. */
  redisAnswered: z.boolean(),
});
export type RateLimitCounters = z.infer<typeof RateLimitCounters>;

/** The counters of any of these values, without those whose window has ended. SCANs all keys of Redis: not blocking but slow, so for operators only. */
export async function listRateLimitCounters(
  ctx: Context,
  values: string[],
): Promise<RateLimitCounters> {
  if (values.length === 0) return { counters: [], redisAnswered: true };
  const [inRedis, inPostgres] = await Promise.all([
    readRedis(ctx, values).catch((error) => {
      redisUnavailable(ctx.correlationId, error);
      return null;
    }),
    readPostgres(ctx, values),
  ]);
  const counters = [...(inRedis ?? []), ...inPostgres];
  return {
    counters: counters.sort((one, other) => one.key.localeCompare(other.key)),
    redisAnswered: inRedis !== null,
  };
}

async function readRedis(ctx: Context, values: string[]): Promise<RateLimitCounter[]> {
  const keys = (await scan(values)).filter((key) => isOf(ctx, key, values));
  const trip = roundTrip();
  const reading = keys.map((key) => readOne(ctx, trip, key));
  const [counters] = await Promise.all([Promise.all(reading), trip.send()]);
  return counters.filter((counter) => counter !== null);
}

async function scan(values: string[]): Promise<string[]> {
  const [only] = values;
  const pattern = values.length === 1 ? `rate:*${only}*` : "rate:*";
  const found = new Set<string>();
  let cursor = "0";
  for (let step = 0; step < scansMax; step++) {
    const trip = roundTrip();
    const scanning = trip.command<[string, string[]]>(
      ...["SCAN", cursor, "MATCH", pattern, "COUNT", keysPerScan],
    );
    const [[next, keys]] = await Promise.all([scanning, trip.send()]);
    for (const key of keys) found.add(key);
    cursor = String(next);
    if (cursor === "0") return [...found];
  }
  throw new Error("Redis has too many keys to scan.");
}

function isOf(ctx: Context, key: string, values: string[]): boolean {
  const value = parseCounterKey(limitsOf(ctx.env), key)?.value;
  return values.some(
    (one) => value === one || value?.startsWith(`${one}/`) || value?.endsWith(`/${one}`),
  );
}

async function readOne(
  ctx: Context,
  trip: ReturnType<typeof roundTrip>,
  key: string,
): Promise<RateLimitCounter | null> {
  const parsed = parseCounterKey(limitsOf(ctx.env), key);
  if (!parsed) return null;
  if (parsed.limit.delaysMs) {
    const [failures, until] = await trip.hashFields(key, "failures", "delayedUntilMs");
    return present(ctx, key, parsed, "redis", Number(failures ?? 0), Number(until ?? 0));
  }
  const used = await trip.command<string | number | null>("GET", key);
  if (used === null) return null;
  return present(ctx, key, parsed, "redis", Number(used), windowEnd(parsed));
}

async function readPostgres(ctx: Context, values: string[]): Promise<RateLimitCounter[]> {
  const among = sql`exists (
    select 1 from unnest(${sql.param(values)}::text[]) as value where strpos(key, value) > 0)`;
  const { rows } = await ctx.db.execute<{ key: string; used: number; until: string }>(sql`
    select key, used, resets_at_ms as until from ${rateLimits} where ${among}
    union all
    select key, failures, delayed_until_ms from ${loginDelays}
    where ${among} and expires_at_ms > ${ctx.now.getTime()}`);
  return rows.flatMap(({ key, used, until }) => {
    const parsed = parseCounterKey(limitsOf(ctx.env), key);
    if (!parsed || !isOf(ctx, key, values)) return [];
    return present(ctx, key, parsed, "postgres", used, Number(until)) ?? [];
  });
}

interface ParsedKey {
  limit: Limit;
  value: string;
  window: number | null;
}

const windowEnd = ({ limit, window }: ParsedKey) => ((window ?? 0) + 1) * limit.windowMs;

/** Null for a window that has ended: its key can outlive it. The failures behind a delay outlive the delay. */
function present(
  { now }: Context,
  key: string,
  { limit }: ParsedKey,
  countedIn: RateLimitCounter["countedIn"],
  used: number,
  untilMs: number,
): RateLimitCounter | null {
  const isRunning = untilMs > now.getTime();
  if (!limit.delaysMs && !isRunning) return null;
  const isOver = limit.delaysMs !== undefined || used >= limit.max;
  return {
    key,
    policy: limit.policy,
    kind: limit.kind,
    countedIn,
    used,
    max: limit.max,
    until: isRunning ? new Date(untilMs).toISOString() : null,
    refuses: isOver && isRunning,
  };
}
