import { desc, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { cronLeases, cronRuns } from "../db/schema/crons.js";
import { epochMsOf } from "../db/timestamp.js";
import { seriesName } from "../observability/metrics.js";
import { cronMinutes, cronPeriods, type Period, scheduledJobs } from "./scheduled-jobs.js";

/** A month has its longest length: a run that is due is not called late. */
const periodMs = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  month: 31 * 86_400_000,
} as const satisfies Record<Period, number>;

export const CronStatus = z.strictObject({
  crons: z.array(
    z.strictObject({
      job: z.string(),
      period: z.enum(["minute", "hour", "day", "month"]),
      doneSlot: z.iso.datetime().nullable(),
      /** When the first run is due; null after the first success. */
      dueAt: z.iso.datetime().nullable(),
      /** Completed periods since then, without the current one; null before the first success. */
      missedSlots: z.int().nullable(),
      /** More than one period was completed without a success. */
      isLate: z.boolean(),
      isRunning: z.boolean(),
    }),
  ),
  runs: z.array(
    z.strictObject({
      job: z.string(),
      slot: z.iso.datetime(),
      startedAt: z.iso.datetime(),
      finishedAt: z.iso.datetime().nullable(),
      failedParts: z.array(z.string()),
    }),
  ),
});
export type CronStatus = z.infer<typeof CronStatus>;

const runsMax = 20;

export async function listCrons({ db, now }: Context): Promise<CronStatus> {
  const [leases, runs, { rows: known }] = await db.batch([
    db.select().from(cronLeases),
    db.select().from(cronRuns).orderBy(desc(cronRuns.slot)).limit(runsMax),
    // Before the first call of any job, jobs are due from the creation of the database.
    db.execute<{ series: string | null; ms: string }>(sql`
      select series, value * 1000 as ms from telemetry_gauges
      where starts_with(series, 'cron_first_due_timestamp_seconds')
      union all select null, ${epochMsOf(sql`min(applied_at)`)} from schema_migrations`),
  ]);
  const dueFromMs = (job: (typeof scheduledJobs)[number]) => {
    const series = seriesName("cron_first_due_timestamp_seconds", { job });
    const row = known.find((each) => each.series === series) ?? known.find((each) => !each.series);
    return Number(row?.ms ?? now.getTime());
  };
  return {
    crons: scheduledJobs.map((job) => {
      const period = cronPeriods[job];
      const lengthMs = periodMs[period];
      const lease = leases.find((row) => row.job === job);
      const done = lease?.doneSlot ?? null;
      const offsetMs = cronMinutes[job] * periodMs.minute;
      const dueMs = nextStartMs(period, dueFromMs(job) - offsetMs) + offsetMs;
      const sinceMs = now.getTime() - (done ? done.getTime() + lengthMs : dueMs);
      const missed = Math.max(0, Math.floor(sinceMs / lengthMs));
      return {
        job,
        period,
        doneSlot: done?.toISOString() ?? null,
        dueAt: done ? null : new Date(dueMs).toISOString(),
        missedSlots: done ? missed : null,
        isLate: missed > 1,
        isRunning: lease !== undefined && lease.heldUntil > now,
      };
    }),
    runs: runs.map(({ job, slot, startedAt, finishedAt, failedParts }) => ({
      job,
      slot: slot.toISOString(),
      startedAt: startedAt.toISOString(),
      finishedAt: finishedAt?.toISOString() ?? null,
      failedParts,
    })),
  };
}

/** The first start of a period at or after `ms`, in UTC. */
function nextStartMs(period: Period, ms: number): number {
  if (period !== "month") return Math.ceil(ms / periodMs[period]) * periodMs[period];
  const at = new Date(ms);
  const startMs = Date.UTC(at.getUTCFullYear(), at.getUTCMonth());
  return startMs >= ms ? startMs : Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1);
}

export const CronName = z.enum(scheduledJobs);
