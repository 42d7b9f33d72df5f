import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { isRetrying } from "../queue/claim.js";
import { isDead, isMessage, retryDead } from "../queue/dead-letters.js";

const nullableTimestamp = z.iso.datetime().nullable();

export const OutboxStatus = z.strictObject({
  kinds: z.array(
    z.strictObject({
      kind: z.string(),
      waiting: z.int(),
      failed: z.int(),
      /** When the oldest pending row was queued. */
      oldestAt: nullableTimestamp,
    }),
  ),
  /** Those that will be tried again after a failure, the next one first; each with an error code, never the recipient. */
  retrying: z.array(
    z.strictObject({
      id: z.uuid(),
      kind: z.string(),
      attempts: z.int(),
      /** When the next attempt is due. */
      nextAt: z.iso.datetime(),
      lastError: z.string(),
      correlationId: z.string(),
    }),
  ),
  /** The newest failures, each with an error code; never the recipient. */
  failures: z.array(
    z.strictObject({
      id: z.uuid(),
      kind: z.string(),
      failedAt: z.iso.datetime(),
      lastError: z.string().nullable(),
      correlationId: z.string(),
    }),
  ),
});
export type OutboxStatus = z.infer<typeof OutboxStatus>;

const shownMax = 20;

export async function getOutboxStatus({ db }: Context): Promise<OutboxStatus> {
  const iso = (of: ReturnType<typeof sql>) =>
    sql`to_char(${of} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  const [kinds, retrying, failures] = await Promise.all([
    db.execute<{ kind: string; waiting: number; failed: number; oldest: string | null }>(sql`
      select kind, cast(count(*) filter (where dead_at is null) as integer) as waiting,
        cast(count(dead_at) as integer) as failed,
        ${iso(sql`min(created_at) filter (where dead_at is null)`)} as oldest
      from ${queueEntries} where ${isMessage} and send and expires_at > now() group by kind order by kind`),
    db.execute<{
      id: string;
      kind: string;
      attempts: number;
      next: string;
      error: string;
      corr: string;
    }>(sql`
      select id, kind, attempts, ${iso(sql`run_after`)} as next, last_error as error, correlation_id as corr
      from ${queueEntries} where ${isMessage} and ${isRetrying} order by run_after limit ${shownMax}`),
    db.execute<{
      id: string;
      kind: string;
      failed: string;
      error: string | null;
      corr: string;
    }>(sql`
      select id, kind, ${iso(sql`dead_at`)} as failed, last_error as error,
        correlation_id as corr
      from ${queueEntries} where ${isMessage} and ${isDead} order by dead_at desc limit ${shownMax}`),
  ]);
  return {
    kinds: kinds.rows.map(({ oldest, ...row }) => ({ ...row, oldestAt: oldest })),
    retrying: retrying.rows.map(({ next, error, corr, ...row }) => ({
      ...row,
      nextAt: next,
      lastError: error,
      correlationId: corr,
    })),
    failures: failures.rows.map(({ id, kind, failed, error, corr }) => ({
      id,
      kind,
      failedAt: failed,
      lastError: error,
      correlationId: corr,
    })),
  };
}

/** Failed rows that have not expired. */
export async function countFailedMessages({ db }: Context): Promise<number> {
  const { rows } = await db.execute<{ count: number }>(sql`
    select cast(count(*) as integer) as count from ${queueEntries}
    where ${isMessage} and ${isDead} and expires_at > now()`);
  return rows[0]?.count ?? 0;
}

/** Put all failed rows that have not expired back into the queue, for the next tick, and return their number. Safe to repeat. */
export async function retryFailedMessages(ctx: Context, by: OperatorAct): Promise<number> {
  const entry = { ...by, action: "outbox.retried", subjectId: "outbox" } as const;
  const { rows } = await ctx.db.execute<{ count: number }>(sql`
    with retried as (${retryDead(sql`${isMessage} and expires_at > now()`)}
    ), audited as (${auditIfAny(ctx, entry, sql`retried`)} returning 1)
    select cast(count(*) as integer) as count from retried`);
  return rows[0]?.count ?? 0;
}
