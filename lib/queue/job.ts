import { randomUUID } from "node:crypto";
import { and, eq, isNull, sql } from "drizzle-orm";
import type * as z from "zod";
import type { Context } from "../context.js";
import { requiredRow } from "../db/required-row.js";
import { jobs } from "../db/schema/crons.js";

/** A job as its handler sees it. */
export interface Job {
  id: string;
  kind: string;
  key: string;
  /** 1 at the first try; also the token of whoever has the job now. */
  attempt: number;
  /** The correlation ID of the request that queued it. */
  correlationId: string;
}

/**
 * What does one kind of job. It may be run again after a crash: whatever it writes to Postgres belongs in
 * a batch with `jobDone`, which then commits once; whatever it sends carries the job's id.
 */
export interface JobHandler<P extends z.ZodType = z.ZodType> {
  payload: P;
  run(ctx: Context, payload: z.output<P>, job: Job): Promise<void>;
}

export type JobHandlers = Readonly<Record<string, JobHandler>>;

/** A handler with the type of its payload. */
export function jobHandler<P extends z.ZodType>(handler: JobHandler<P>): JobHandler {
  // The runner hands in exactly what the schema yields, which the table's type cannot follow.
  return handler as unknown as JobHandler;
}

export interface NewJob {
  kind: string;
  /** Of several queued under one key, one is done, until its row is gone (a week after it was done). */
  key: string;
  /** Ids and settings alone: nothing personal. */
  payload: unknown;
  /** Not before this. */
  runAfter?: Date;
}

/** The statement that queues a job, to be committed with the change that asks for it. */
export function enqueueJob(ctx: Context, { kind, key, payload, runAfter }: NewJob) {
  const { correlationId } = ctx;
  const job = { id: randomUUID(), kind, key, payload, correlationId };
  return ctx.db
    .insert(jobs)
    .values(runAfter ? { ...job, runAfter } : job)
    .onConflictDoNothing({ target: jobs.key });
}

/**
 * The statement that says that a job is done, to be committed with what it did: it fails its batch when
 * the job's lease ran out and somebody else has the job now (`lacksRequiredRow` knows the failure).
 */
export function jobDone(ctx: Context, { id, attempt }: Pick<Job, "id" | "attempt">) {
  return ctx.db.execute(sql`
    with done as (
      update ${jobs} set done_at = now(), leased_until = null, last_error = null
      where ${and(eq(jobs.id, id), eq(jobs.attempts, attempt), isNull(jobs.doneAt), isNull(jobs.deadAt))}
      returning 1
    )
    select ${requiredRow(sql`done`)}`);
}
