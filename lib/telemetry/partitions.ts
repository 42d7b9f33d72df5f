import { sql } from "drizzle-orm";
import type { Context } from "../context.js";

const daysAhead = 8;

/**
 * Make the partitions of the access log for today and eight days more. Returns how many were missing.
 * Harmless twice and at once; a day that has its partition costs one look-up.
 */
export async function ensurePartitions({ db }: Context): Promise<number> {
  const { rows } = await db.execute(
    sql`select ensure_access_log_partitions(${sql.raw(String(daysAhead))}) as made`,
  );
  return Number(rows[0]?.made ?? 0);
}

/**
 * Detach and drop the partitions of days that ended more than `ACCESS_LOG_RETENTION_DAYS` ago. Returns
 * how many. Harmless twice and at once. Rejects when a reader holds the log for 2 s: the next run
 * repeats it.
 */
export async function dropOldPartitions({ db, env }: Context): Promise<number> {
  const { rows } = await db.execute(
    sql`select drop_access_log_partitions(cast(${env.telemetry.accessLogRetentionDays} as integer)) as dropped`,
  );
  return Number(rows[0]?.dropped ?? 0);
}
