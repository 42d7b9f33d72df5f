import { desc, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { cronLeases, cronRuns } from "../db/schema/crons.js";
import { cleanupCron } from "./cleanup.js";
import { type Cron, type CronReport, runCron } from "./cron.js";
import { scheduledJobs } from "./scheduled-jobs.js";
import { tickCron } from "./tick.js";

const crons: readonly Cron[] = [tickCron, cleanupCron];
const periodMs = { minute: 60_000, hour: 3_600_000 } as const;
/** Below the timeout of the CLI. */
const budgetSeconds = 10;

export const CronStatus = z.strictObject({
  crons: z.array(
    z.strictObject({
      job: z.string(),
      period: z.enum(["minute", "hour"]),
      doneSlot: z.iso.datetime().nullable(),
      /** Completed periods since then, without the current one; null before the first success. */
      missedSlots: z.int().nullable(),
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
  const [leases, runs] = await db.batch([
    db.select().from(cronLeases),
    db.select().from(cronRuns).orderBy(desc(cronRuns.slot)).limit(runsMax),
  ]);
  return {
    crons: crons.map(({ name: job, period }) => {
      const lease = leases.find((row) => row.job === job);
      const done = lease?.doneSlot ?? null;
      const periods = done && Math.floor((now.getTime() - done.getTime()) / periodMs[period]);
      return {
        job,
        period,
        doneSlot: done?.toISOString() ?? null,
        missedSlots: periods === null ? null : Math.max(0, periods - 1),
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

export const CronName = z.enum(scheduledJobs);

/** Run the current slot again, unless it is running; writes an audit row. Reports failed parts. After 10 s the rest waits for the next cron call. */
export async function runNow(ctx: Context, name: string, by: OperatorAct): Promise<CronReport> {
  const cron = crons.find((candidate) => candidate.name === name);
  if (!cron) throw new Error(`Unknown cron job: ${name}`);
  const entry = { ...by, action: "cron.run", subjectId: name } as const;
  const { report } = await runCron(ctx, cron, {
    again: true,
    budgetSeconds,
    beside: (lease) => sql`${auditIfAny(ctx, entry, lease)} returning 1`,
  });
  return report;
}
