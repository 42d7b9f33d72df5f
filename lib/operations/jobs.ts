import { and, desc, eq, isNull, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { AppError } from "../errors.js";
import { isDead, isJob, retryDead } from "../queue/dead-letters.js";

export const JobQueueStatus = z.strictObject({
  waiting: z.int(),
  dead: z.int(),
  /** At most 50 dead jobs, the newest first, then 50 pending ones, the next due first. Never includes the payload. */
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
export type JobQueueStatus = z.infer<typeof JobQueueStatus>;

const listedMax = 50;

export async function getJobQueueStatus({ db }: Context): Promise<JobQueueStatus> {
  const isWaiting = and(isJob, isNull(queueEntries.doneAt), isNull(queueEntries.deadAt));
  const count = { count: sql<number>`count(*)::int` };
  const [dead, waiting, [deadCount], [waitingCount]] = await db.batch([
    db
      .select()
      .from(queueEntries)
      .where(and(isJob, isDead))
      .orderBy(desc(queueEntries.deadAt))
      .limit(listedMax),
    db.select().from(queueEntries).where(isWaiting).orderBy(queueEntries.runAfter).limit(listedMax),
    db.select(count).from(queueEntries).where(and(isJob, isDead)),
    db.select(count).from(queueEntries).where(isWaiting),
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
        .select({ kind: queueEntries.kind })
        .from(queueEntries)
        .where(and(eq(queueEntries.id, id), isJob, isDead))
    : [];
  if (!job) throw new AppError("not_found");
  return job;
}

/** Return a job from the dead letters to the queue with its attempts reset. Safe to repeat. */
export async function retryJob(ctx: Context, id: string, by: OperatorAct): Promise<void> {
  const entry = { ...by, action: "job.retried", subjectId: id } as const;
  await ctx.db.execute(sql`
    with retried as (${retryDead(sql`${isJob} and id = ${id}`)}
    ), audited as (${auditIfAny(ctx, entry, sql`retried`)} returning 1)
    select count(*) from retried`);
}
