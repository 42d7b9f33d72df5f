import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { isLockUnavailable } from "../db/failures.js";

const daysAhead = 8;

/** Create the access log partitions up to eight days ahead. Returns how many were missing. Safe to repeat. */
export async function ensurePartitions({ db }: Context): Promise<number> {
  const { rows } = await db.execute(
    sql`select ensure_access_log_partitions(${sql.raw(String(daysAhead))}) as made`,
  );
  return Number(rows[0]?.made ?? 0);
}

/** What one attempt to drop a day of the access log found. `busy`: a reader or writer had locked it for 100 ms. */
export type DroppedDay = "dropped" | "busy" | "none";

/**
 * Drop the oldest day of the access log that ended before the SQL moment `before`, attached or left detached. One
 * transaction with its report; the lock on the log lasts for milliseconds, and is waited for at most 100 ms.
 */
export async function dropOldestDay(
  { db, correlationId }: Context,
  before: SQL,
): Promise<DroppedDay> {
  try {
    const { rows } = await db.execute(
      sql`select name from drop_access_log_partition(${before}, cast(${correlationId} as text))`,
    );
    return rows.length > 0 ? "dropped" : "none";
  } catch (error) {
    if (isLockUnavailable(error)) return "busy";
    throw error;
  }
}
