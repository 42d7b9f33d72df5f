import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { rateLimits } from "../db/schema/limits.js";
import type { LimitCount, LimitValues } from "./count.js";
import { applicableLimits, currentWindow, windowCount } from "./limiter.js";
import type { DelayPass } from "./login-delay.js";
import {
  clearFailuresInPostgres,
  grantPassInPostgres,
  releaseAttemptInPostgres,
  reserveAttemptInPostgres,
} from "./login-delay-in-postgres.js";
import type { Limit } from "./policies.js";

/** Counts the `strict` limits only. Also deletes a few expired rows. */
export async function countInPostgres(
  ctx: Context,
  limits: Limit[],
  subject: LimitValues,
): Promise<LimitCount[]> {
  const strict = applicableLimits(limits, subject).filter(
    ({ limit }) => limit.whenRedisFails === "strict",
  );
  const [windows, ...delays] = await Promise.all([
    countInWindows(
      ctx,
      strict.filter(({ limit }) => !limit.delaysMs),
    ),
    ...strict
      .filter(({ limit }) => limit.delaysMs)
      .map(({ limit, value }) => reserveAttemptInPostgres(ctx, limit, value, subject)),
  ]);
  return [...windows, ...delays];
}

export async function refundInPostgres(ctx: Context, counts: LimitCount[]): Promise<void> {
  const delays = counts.filter(({ limit }) => limit.delaysMs);
  await Promise.all([
    uncountInWindows(ctx, counts),
    ...delays.map((count) => releaseAttemptInPostgres(ctx, count)),
  ]);
}

export async function resetAfterSuccessInPostgres(
  ctx: Context,
  counts: LimitCount[],
): Promise<void> {
  const delays = counts.filter(({ limit }) => limit.delaysMs);
  await Promise.all([uncountInWindows(ctx, counts), clearFailuresInPostgres(ctx, delays)]);
}

/** Deletes failures and delays, and exempts this caller once. Windows are short and are not cleared. */
export async function clearCountersInPostgres(
  ctx: Context,
  limits: Limit[],
  subject: LimitValues,
  pass: DelayPass,
): Promise<void> {
  const delays = applicableLimits(limits, subject).filter(({ limit }) => limit.delaysMs);
  await Promise.all(delays.map(({ limit, value }) => grantPassInPostgres(ctx, limit, value, pass)));
}

async function countInWindows(
  ctx: Context,
  entries: { limit: Limit; value: string }[],
): Promise<LimitCount[]> {
  const strict = entries
    .map((entry) => ({ ...entry, ...currentWindow(entry.limit, entry.value, ctx.now) }))
    // A fixed order prevents deadlocks.
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  if (strict.length === 0) return [];
  const keys = sql.param(strict.map(({ key }) => key));
  const ends = sql.param(strict.map(({ resetsAtMs }) => resetsAtMs));
  const { rows } = await ctx.db.execute<{ key: string; used: number }>(sql`
    with pruned as (
      delete from ${rateLimits} where key in (
        select key from ${rateLimits} where resets_at_ms < ${ctx.now.getTime()}
        limit 20 for update skip locked
      )
    )
    insert into ${rateLimits} (key, used, resets_at_ms)
    select key, 1, ends from unnest(${keys}::text[], ${ends}::bigint[]) as counted (key, ends)
    on conflict (key) do update set used = rate_limits.used + 1
    returning key, used`);
  const used = new Map(rows.map((row) => [row.key, row.used]));
  return strict.map(({ limit, value, key, resetsAtMs }) => {
    return windowCount(limit, value, used.get(key) ?? 0, resetsAtMs);
  });
}

async function uncountInWindows(ctx: Context, counts: LimitCount[]): Promise<void> {
  const windows = counts.filter(
    ({ limit }) => limit.whenRedisFails === "strict" && !limit.delaysMs,
  );
  if (windows.length === 0) return;
  // `ctx.now` is renewed after a slow body, and can be in a later window.
  const keys = windows.map(
    ({ limit, value, resetsAtMs }) => currentWindow(limit, value, new Date(resetsAtMs - 1)).key,
  );
  await ctx.db.execute(sql`
    with locked as (
      select key from ${rateLimits} where key = any(${sql.param(keys)}::text[])
      order by key for update
    )
    update ${rateLimits} set used = used - 1 from locked
    where ${rateLimits.key} = locked.key and used > 0`);
}
