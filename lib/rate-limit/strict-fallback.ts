import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { applying, type Count, counterKey, type Subject } from "./limiter.js";
import type { Limit } from "./policies.js";

/**
 * Count in Postgres what Redis cannot: the limits that must hold even then. One statement, which also
 * removes a few counters that are over. Limits that allow are not counted at all.
 */
export async function countInPostgres(
  ctx: Context,
  limits: Limit[],
  subject: Subject,
): Promise<Count[]> {
  const strict = applying(limits, subject)
    .filter(({ limit }) => limit.whenRedisFails === "strict")
    .map((entry) => ({ ...entry, ...windowOf(entry.limit, entry.value, ctx.now) }))
    // One order for everybody, so that two requests never wait for each other's rows.
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  if (strict.length === 0) return [];
  const keys = sql.param(strict.map(({ key }) => key));
  const ends = sql.param(strict.map(({ resetsAtMs }) => resetsAtMs));
  const { rows } = await ctx.db.execute<{ key: string; used: number }>(sql`
    with pruned as (
      delete from rate_limits where key in (
        select key from rate_limits where resets_at_ms < ${ctx.now.getTime()}
        limit 20 for update skip locked
      )
    )
    insert into rate_limits (key, used, resets_at_ms)
    select key, 1, ends from unnest(${keys}::text[], ${ends}::bigint[]) as counted (key, ends)
    on conflict (key) do update set used = rate_limits.used + 1
    returning key, used`);
  const used = new Map(rows.map((row) => [row.key, row.used]));
  return strict.map(({ limit, value, key, resetsAtMs }) => {
    const count = used.get(key) ?? 0;
    const remaining = Math.max(0, limit.max - count);
    return { limit, value, allowed: count <= limit.max, remaining, resetsAtMs };
  });
}

/** Give back what `countInPostgres` counted. */
export async function refundInPostgres(ctx: Context, counts: Count[]): Promise<void> {
  if (counts.length === 0) return;
  const keys = counts.map(({ limit, value }) => windowOf(limit, value, ctx.now).key);
  await ctx.db.execute(
    sql`update rate_limits set used = used - 1 where key = any(${sql.param(keys)}::text[])`,
  );
}

function windowOf(limit: Limit, value: string, now: Date) {
  const window = Math.floor(now.getTime() / limit.windowMs);
  return {
    key: counterKey(limit, value, window),
    resetsAtMs: (window + 1) * limit.windowMs,
  };
}
