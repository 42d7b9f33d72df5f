import { and, eq, gte, inArray, isNotNull, isNull, lt, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { jobs } from "../db/schema/crons.js";
import { jobDied, jobRetried } from "../observability/log-lines/jobs.js";
import { type Job, type JobHandlers, jobDone } from "./job.js";

export interface JobCounts {
  done: number;
  retried: number;
  /** Given up: an operator may have them tried again. */
  died: number;
  /** All that were given up, so far. */
  dead: number;
}

/** Longer than one try takes. */
const leaseSeconds = 120;
export const attemptsMax = 8;
const backoffSeconds = { first: 15, max: 30 * 60 } as const;
/** With less than this left, no further job is begun. */
const leastMs = 1000;

/**
 * Do what is due and has a handler, one at a time, until `endMs` (by `performance.now()`). Running it
 * twice or at once is harmless: a job belongs to whoever holds its lease. Rejects when Postgres is away.
 */
export async function runDueJobs(
  ctx: Context,
  handlers: JobHandlers,
  endMs: number,
): Promise<JobCounts> {
  const counts = { done: 0, retried: 0, died: await buryOverdue(ctx) };
  const kinds = Object.keys(handlers);
  while (kinds.length > 0 && endMs - performance.now() > leastMs) {
    const [job] = await claim(ctx, kinds);
    if (!job) break;
    counts[await tryOnce(ctx, handlers, job)] += 1;
  }
  return { ...counts, dead: await countDead(ctx) };
}

const isOpen = and(isNull(jobs.doneAt), isNull(jobs.deadAt));

function claim(ctx: Context, kinds: string[]) {
  const due = ctx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        isOpen,
        sql`${jobs.runAfter} <= now()`,
        inArray(jobs.kind, kinds),
        lt(jobs.attempts, attemptsMax),
      ),
    )
    .orderBy(jobs.runAfter)
    .limit(1)
    .for("update", { skipLocked: true });
  return (
    ctx.db
      .update(jobs)
      .set({
        attempts: sql`${jobs.attempts} + 1`,
        leasedUntil: inSeconds(leaseSeconds),
        runAfter: inSeconds(leaseSeconds),
      })
      // As an array, which is read once: a subquery could be run again for each row, and lock others.
      .where(sql`${jobs.id} = any(array(${due}))`)
      .returning({
        id: jobs.id,
        kind: jobs.kind,
        key: jobs.key,
        payload: jobs.payload,
        attempt: jobs.attempts,
        correlationId: jobs.correlationId,
      })
  );
}

async function tryOnce(
  ctx: Context,
  handlers: JobHandlers,
  { payload, ...job }: Job & { payload: unknown },
): Promise<"done" | "retried" | "died"> {
  const handler = handlers[job.kind];
  const parsed = handler?.payload.safeParse(payload);
  if (!handler || !parsed?.success) {
    const names = parsed?.error?.issues.map(({ path }) => path.join(".")).join(", ");
    return bury(ctx, job, new Error(`Its payload is not valid: ${names || "as a whole"}`));
  }
  try {
    await handler.run({ ...ctx, db: ctx.db, correlationId: job.correlationId }, parsed.data, job);
    await markDone(ctx, job);
    return "done";
  } catch (error) {
    if (job.attempt >= attemptsMax) return bury(ctx, job, error);
    const delay = delayFor(job.attempt);
    jobRetried(job, delay, error);
    await settle(ctx, job, { lastError: reasonOf(error), runAfter: inSeconds(delay) });
    return "retried";
  }
}

/** The handler may have done so already, with what it wrote. */
async function markDone(ctx: Context, job: Job): Promise<void> {
  try {
    await jobDone(ctx, job);
  } catch (error) {
    if (!lacksRequiredRow(error)) throw error;
  }
}

async function bury(ctx: Context, job: Job, error: unknown): Promise<"died"> {
  jobDied(job, error);
  await settle(ctx, job, { lastError: reasonOf(error), deadAt: sql`now()` });
  return "died";
}

/** Those that were taken for the last time by somebody who did not live to tell. */
async function buryOverdue(ctx: Context): Promise<number> {
  const buried = await ctx.db
    .update(jobs)
    .set({ deadAt: sql`now()`, leasedUntil: null, lastError: "its lease ran out" })
    .where(and(isOpen, sql`${jobs.runAfter} <= now()`, gte(jobs.attempts, attemptsMax)))
    .returning({
      id: jobs.id,
      kind: jobs.kind,
      attempt: jobs.attempts,
      correlationId: jobs.correlationId,
    });
  for (const job of buried) jobDied(job, new Error("Its lease ran out at the last attempt."));
  return buried.length;
}

/** Changes nothing when the lease has run out and somebody else has taken the job since. */
async function settle(
  ctx: Context,
  { id, attempt }: Job,
  change: { lastError: string; runAfter?: SQL; deadAt?: SQL },
): Promise<void> {
  await ctx.db
    .update(jobs)
    .set({ ...change, leasedUntil: null })
    .where(and(eq(jobs.id, id), eq(jobs.attempts, attempt), isOpen));
}

async function countDead(ctx: Context): Promise<number> {
  const [row] = await ctx.db
    .select({ dead: sql<number>`cast(count(*) as integer)` })
    .from(jobs)
    .where(isNotNull(jobs.deadAt));
  return row?.dead ?? 0;
}

/** Whole seconds: doubling, at random up to half as long again. */
function delayFor(attempt: number): number {
  const { first, max } = backoffSeconds;
  return Math.ceil(Math.min(max, first * 2 ** (attempt - 1)) * (1 + Math.random() / 2));
}

/** The kind of failure alone: a message may hold what is personal. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: string; code?: unknown };
  return [name ?? "Error", code]
    .filter((part) => typeof part === "string")
    .join(" ")
    .slice(0, 200);
}

const inSeconds = (seconds: number) => sql`now() + make_interval(secs => ${seconds})`;
