import { gt, lte, sql } from "drizzle-orm";
import { isRestoring } from "../admission/restore.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { erasures, isOverdueDeletion } from "../db/schema/privacy.js";
import { purgeFailed } from "../observability/log-lines/privacy.js";
import { personalTables } from "./catalogue.js";
import { eraseAccount, eraseRows } from "./erase.js";
import { deleteLateCounters } from "./erasure-kind.js";
import { personOfIds } from "./person.js";

const accountsPerRun = 1000;

/**
 * Erase the accounts whose grace period is over, until `endMs` (`performance.now()`); the next run continues. One failure
 * does not stop the others, and is thrown at the end. Does nothing during a restore, which may have lost cancellations.
 * Rejects without Redis.
 */
export async function purgeDue(ctx: Context, endMs: number): Promise<{ erased: number }> {
  if (await isRestoring(ctx)) return { erased: 0 };
  // A restore without `restore begin` may have lost a cancellation. Loaded on demand: other functions import this module too.
  const { repeatDeletions } = await import("./repeat-deletions.js");
  await repeatDeletions(ctx);
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

const accountsPerBatch = 50;

/** Erase what was written about an account after its erasure: by requests in flight, and from the access log. */
export async function eraseLateRows(ctx: Context): Promise<{ rows: number }> {
  const recent = await ctx.db
    .select({ id: erasures.userId })
    .from(erasures)
    .where(gt(erasures.erasedAt, sql`now() - interval '1 day'`));
  const ids = recent.map(({ id }) => id);
  const tables = personalTables.filter(({ late }) => late === "erased");
  let rows = 0;
  for (let from = 0; from < ids.length; from += accountsPerBatch) {
    const erased = personOfIds(ctx, ids.slice(from, from + accountsPerBatch));
    const [first, ...others] = tables.flatMap((table) => eraseRows(ctx, table, erased));
    if (!first) break;
    for (const { rowCount } of await ctx.db.batch([first, ...others])) rows += rowCount;
  }
  await deleteLateCounters(ctx, ids);
  return { rows };
}

export interface DeletionCounts {
  pending: number;
  overdue: number;
  erased: number;
}

export async function countDeletions({ db }: Context): Promise<DeletionCounts> {
  const { rows } = await db.execute<{ [Name in keyof DeletionCounts]: number }>(sql`
    select cast(count(*) as integer) as pending,
      cast(count(*) filter (where ${isOverdueDeletion}) as integer) as overdue,
      (select cast(count(*) as integer) from erasures) as erased
    from ${users} where purge_at is not null`);
  return rows[0] ?? { pending: 0, overdue: 0, erased: 0 };
}
