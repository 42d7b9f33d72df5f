import { desc } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { cronLeases, cronRuns } from "../db/schema/crons.js";
import { cronPeriods, scheduledJobs } from "./scheduled-jobs.js";

const periodMs = { minute: 60_000, hour: 3_600_000 } as const;

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
    crons: scheduledJobs.map((job) => {
      const period = cronPeriods[job];
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
