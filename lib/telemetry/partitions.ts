import { sql } from "drizzle-orm";
import type { Context } from "../context.js";

const daysAhead = 8;

/** Create the access log partitions up to eight days ahead. Returns how many were missing. Safe to repeat. */
export async function ensurePartitions({ db }: Context): Promise<number> {
  const { rows } = await db.execute(
    sql`select ensure_access_log_partitions(${sql.raw(String(daysAhead))}) as made`,
  );
  return Number(rows[0]?.made ?? 0);
}

/** Delete access log days past the retention; returns how many. Safe to repeat. Rejects when a reader locks the table for 2 s. */
export async function dropOldPartitions({ db, env }: Context): Promise<number> {
  const { rows } = await db.execute(
    sql`select drop_access_log_partitions(cast(${env.telemetry.accessLogRetentionDays} as integer)) as dropped`,
  );
  return Number(rows[0]?.dropped ?? 0);
}
