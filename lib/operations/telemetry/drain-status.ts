import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { type DrainResult, drainEvents } from "../../telemetry/drain.js";
import { modeOf } from "../../telemetry/mode.js";
import { measureStream } from "../../telemetry/stream.js";
import { orRedisUnavailable } from "../or-redis-unavailable.js";

const modes = ["every row", "one row in ten", "counts alone"] as const;

export const DrainStatus = z.strictObject({
  cursor: z.string(),
  /** Everything added to the stream before this time is in the tables. */
  drainedUntil: z.iso.datetime(),
  lagSeconds: z.int(),
  keeps: z.enum(modes),
  /** The backlog in Redis; null when Redis does not answer. */
  waiting: z.strictObject({ batches: z.int(), bytes: z.int(), bytesMax: z.int() }).nullable(),
  /** Lost batches of the last two days: sequence numbers that no drain has seen. */
  gaps: z.array(
    z.strictObject({ instance: z.string(), missing: z.int(), lastSeenAt: z.iso.datetime() }),
  ),
});
export type DrainStatus = z.infer<typeof DrainStatus>;

const gapsMax = 20;

export async function getDrainStatus(ctx: Context): Promise<DrainStatus> {
  const [state, gaps, waiting] = await Promise.all([
    ctx.db.execute<{ cursor: string; until: string }>(sql`
      select cursor, ${iso(sql`drained_until`)} as until from drain_state where name = 'events'`),
    ctx.db.execute<{ instance: string; missing: number; seen: string }>(sql`
      select instance, cast(max(seq) - min(seq) + 1 - count(*) as integer) as missing,
        ${iso(sql`max(drained_at)`)} as seen
      from drained_batches group by instance
      having max(seq) - min(seq) + 1 > count(*) order by max(drained_at) desc limit ${gapsMax}`),
    measureStream().catch(() => null),
  ]);
  const { cursor = "", until = "" } = state.rows[0] ?? {};
  const lagMs = Math.max(0, ctx.now.getTime() - Date.parse(until));
  const bytesMax = ctx.env.telemetry.streamBytesMax;
  const waitingMs = waiting?.length ? lagMs : 0;
  return {
    cursor,
    drainedUntil: until,
    lagSeconds: Math.round(lagMs / 1000),
    keeps: modes[modeOf(waiting?.bytes ?? 0, bytesMax, waitingMs)],
    waiting: waiting && { batches: waiting.length, bytes: waiting.bytes, bytesMax },
    gaps: gaps.rows.map(({ instance, missing, seen }) => ({
      instance,
      missing,
      lastSeenAt: seen,
    })),
  };
}

/** Everything added to the stream before this time is in the tables. */
export async function readDrainedUntil({ db }: Context): Promise<string> {
  const { rows } = await db.execute<{ until: string }>(
    sql`select ${iso(sql`drained_until`)} as until from drain_state where name = 'events'`,
  );
  return rows[0]?.until ?? new Date(0).toISOString();
}

/** Drain for at most 8 s. Safe to repeat and to run concurrently. Throws `redis_unavailable`. */
export async function drainNow(ctx: Context, by: OperatorAct): Promise<DrainResult> {
  const drained = await orRedisUnavailable(drainEvents(ctx, { budgetMs: 8000 }));
  await auditRow(ctx, { ...by, action: "events.drained", subjectId: "events" });
  return drained;
}

const iso = (of: ReturnType<typeof sql>) =>
  sql`to_char(${of} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
