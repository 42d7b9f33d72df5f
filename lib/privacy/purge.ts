import { lte, sql } from "drizzle-orm";
import { isRestoring } from "../admission/restore.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { idempotencyKeys } from "../db/schema/user-data.js";
import { purgeFailed } from "../observability/log-lines/privacy.js";
import { eraseAccount } from "./erase.js";
import { deleteLateCounters } from "./erasure-kind.js";

const accountsPerRun = 1000;

/**
 * Erase the accounts whose grace period is over, until `endMs` (`performance.now()`); the next run continues. One failure
 * does not stop the others, and is thrown at the end. Does nothing during a restore, which may have lost cancellations.
 * Rejects without Redis.
 */
export async function purgeDue(ctx: Context, endMs: number): Promise<{ erased: number }> {
  if (await isRestoring(ctx)) return { erased: 0 };
  const due = await ctx.db
    .select({ id: users.id })
    .from(users)
    .where(lte(users.purgeAt, ctx.now))
    // So that accounts that fail in each run do not take the time of the others.
    .orderBy(sql`random()`)
    .limit(accountsPerRun);
  let erased = 0;
  const failures: unknown[] = [];
  for (const { id } of due) {
    if (performance.now() >= endMs) break;
    try {
      if (await eraseAccount(ctx, id, "due")) erased += 1;
    } catch (error) {
      purgeFailed(ctx.correlationId, id, error);
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return { erased };
}

/**
 * Erase what requests in flight have written about an account after its erasure. Tables with a foreign key refuse that,
 * and mails expire within a day.
 */
export async function eraseLateRows(ctx: Context): Promise<{ rows: number }> {
  const { db } = ctx;
  // As arrays, so that each statement uses an index.
  const recent = sql`array(
    select user_id from erasures where erased_at > now() - interval '1 day')`;
  const [erased, ...results] = await db.batch([
    db.execute<{ id: string }>(sql`
      select cast(unnest as text) as id from unnest(${recent}) as unnest`),
    db.execute(sql`
      update security_events set user_id = null, ip = null, data = '{}'
      where user_id = any(${recent})`),
    db.execute(sql`
      delete from ${idempotencyKeys} where scope = any(cast(${recent} as text[]))`),
  ]);
  const ids = erased.rows.map(({ id }) => id);
  await deleteLateCounters(ctx, ids);
  return { rows: results.reduce((sum, { rowCount }) => sum + rowCount, 0) };
}

export interface DeletionCounts {
  pending: number;
  /** Past their date by over two runs of the purge. */
  overdue: number;
  erased: number;
}

export async function countDeletions({ db }: Context): Promise<DeletionCounts> {
  const { rows } = await db.execute<{ [Name in keyof DeletionCounts]: number }>(sql`
    select cast(count(*) as integer) as pending,
      cast(count(*) filter (where purge_at < now() - interval '2 hours') as integer) as overdue,
      (select cast(count(*) as integer) from erasures) as erased
    from ${users} where purge_at is not null`);
  return rows[0] ?? { pending: 0, overdue: 0, erased: 0 };
}
