import { and, desc, eq, isNotNull, isNull, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { jobs } from "../db/schema/crons.js";
import { AppError } from "../errors.js";

export const JobsShown = z.strictObject({
  waiting: z.int(),
  dead: z.int(),
  /** Dead jobs first, then pending jobs, the longest waiting first. Never includes the payload. */
  items: z.array(
    z.strictObject({
      id: z.uuid(),
      kind: z.string(),
      state: z.enum(["dead", "waiting"]),
      attempts: z.int(),
      runAfter: z.iso.datetime(),
      createdAt: z.iso.datetime(),
      lastError: z.string().nullable(),
      correlationId: z.string(),
    }),
  ),
});
export type JobsShown = z.infer<typeof JobsShown>;

const listedMax = 50;

export async function listJobs({ db }: Context): Promise<JobsShown> {
  const isOpen = and(isNull(jobs.doneAt), isNull(jobs.deadAt));
  const count = { count: sql<number>`count(*)::int` };
  const [dead, waiting, [deadCount], [waitingCount]] = await db.batch([
    db
      .select()
      .from(jobs)
      .where(isNotNull(jobs.deadAt))
      .orderBy(desc(jobs.deadAt))
      .limit(listedMax),
    db.select().from(jobs).where(isOpen).orderBy(jobs.runAfter).limit(listedMax),
    db.select(count).from(jobs).where(isNotNull(jobs.deadAt)),
    db.select(count).from(jobs).where(isOpen),
  ]);
  return {
    waiting: waitingCount?.count ?? 0,
    dead: deadCount?.count ?? 0,
    items: [...dead, ...waiting].map((row) => ({
      id: row.id,
      kind: row.kind,
      state: row.deadAt ? ("dead" as const) : ("waiting" as const),
      attempts: row.attempts,
      runAfter: row.runAfter.toISOString(),
      createdAt: row.createdAt.toISOString(),
      lastError: row.lastError,
      correlationId: row.correlationId,
    })),
  };
}

/** Throws `not_found` unless the job is in the dead letters. */
export async function requireDeadJob({ db }: Context, id: string): Promise<{ kind: string }> {
  const [job] = z.uuid().safeParse(id).success
    ? await db
        .select({ kind: jobs.kind })
        .from(jobs)
        .where(and(eq(jobs.id, id), isNotNull(jobs.deadAt)))
    : [];
  if (!job) throw new AppError("not_found");
  return job;
}

/** Return a job from the dead letters to the queue with its attempts reset. Safe to repeat. */
export async function retryJob(ctx: Context, id: string, by: OperatorAct): Promise<void> {
  const entry = { ...by, action: "job.retried", subjectId: id } as const;
  await ctx.db.execute(sql`
    with retried as (
      update ${jobs} set dead_at = null, attempts = 0, run_after = now(), leased_until = null
      where id = ${id} and dead_at is not null returning 1
    ), audited as (${auditIfAny(ctx, entry, sql`retried`)} returning 1)
    select count(*) from retried`);
}
