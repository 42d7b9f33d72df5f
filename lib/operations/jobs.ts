import { and, desc, eq, isNull, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { AppError } from "../errors.js";
import { buildPage, type PageRequest, pageSchema } from "../page.js";
import { isDead, isJob, retryDead } from "../queue/dead-letters.js";

const Job = z.strictObject({
  id: z.uuid(),
  kind: z.string(),
  state: z.enum(["dead", "waiting"]),
  attempts: z.int(),
  runAfter: z.iso.datetime(),
  createdAt: z.iso.datetime(),
  lastError: z.string().nullable(),
  correlationId: z.string(),
});

/** The dead jobs, the newest first, then the pending ones, the next due first. Never includes the payload. */
export const JobQueueStatus = pageSchema(Job).extend({ waiting: z.int(), dead: z.int() });
export type JobQueueStatus = z.infer<typeof JobQueueStatus>;

/** The last row of a page; its time has microseconds. */
export const JobPosition = z.tuple([
  z.enum(["dead", "waiting"]),
  z.iso.datetime({ precision: 6 }),
  z.uuid(),
]);

export async function getJobQueueStatus(
  { db }: Context,
  request: PageRequest<z.infer<typeof JobPosition>>,
): Promise<JobQueueStatus> {
  const isWaiting = and(isJob, isNull(queueEntries.doneAt), isNull(queueEntries.deadAt));
  const counted = { count: sql<number>`count(*)::int` };
  const { id, deadAt, runAfter } = queueEntries;
  const [state, at, lastId] = request.cursor ?? [];
  const last = sql`(cast(${at ?? null} as timestamptz), cast(${lastId ?? null} as uuid))`;
  const rowsBy = (column: typeof deadAt | typeof runAfter) =>
    db.select({ row: queueEntries, position: microseconds(column) }).from(queueEntries);
  const [dead, waiting, [deadCount], [waitingCount]] = await db.batch([
    rowsBy(deadAt)
      .where(
        and(
          isJob,
          isDead,
          state === "dead" ? sql`(${deadAt}, ${id}) < ${last}` : undefined,
          state === "waiting" ? sql`false` : undefined,
        ),
      )
      .orderBy(desc(deadAt), desc(id))
      .limit(request.limit + 1),
    rowsBy(runAfter)
      .where(and(isWaiting, state === "waiting" ? sql`(${runAfter}, ${id}) > ${last}` : undefined))
      .orderBy(runAfter, id)
      .limit(request.limit + 1),
    db.select(counted).from(queueEntries).where(and(isJob, isDead)),
    db.select(counted).from(queueEntries).where(isWaiting),
  ]);
  const page = buildPage(
    [...dead, ...waiting].slice(0, request.limit + 1),
    request,
    ({ row }) => ({
      id: row.id,
      kind: row.kind,
      state: stateOf(row),
      attempts: row.attempts,
      runAfter: row.runAfter.toISOString(),
      createdAt: row.createdAt.toISOString(),
      lastError: row.lastError,
      correlationId: row.correlationId,
    }),
    ({ row, position }) => [stateOf(row), position, row.id] as const,
  );
  return { ...page, waiting: waitingCount?.count ?? 0, dead: deadCount?.count ?? 0 };
}

const stateOf = ({ deadAt }: typeof queueEntries.$inferSelect): "dead" | "waiting" =>
  deadAt ? "dead" : "waiting";

const microseconds = (column: typeof queueEntries.deadAt | typeof queueEntries.runAfter) =>
  sql<string>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

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
