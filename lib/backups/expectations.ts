import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { backupCanaries } from "../db/schema/backups.js";
import { consents } from "../db/schema/privacy.js";
import { auditLog, auditSeals } from "../db/schema/security.js";
import { timestamp } from "../db/timestamp.js";

/** What a copy of the live database at a past time must contain. */
export const Expectations = z.object({
  /** Rows up to this time are certainly committed at the time of the copy. */
  settledAt: z.iso.datetime(),
  canaryId: z.uuid(),
  /** Rows up to `settledAt`, by table. */
  rows: z.record(z.string(), z.int()),
  migrations: z.array(z.string()),
  /** The newest audit seal up to `settledAt`, which shows a truncated log. */
  seal: z.object({ lastId: z.int(), hash: z.string() }).nullable(),
});
export type Expectations = z.infer<typeof Expectations>;

/** Tables with the time of each row. Rows are not moved to the past, so the copy cannot have fewer than the live database. */
export const countedTables: Record<string, { table: SQL; at: SQL }> = {
  users: { table: sql`${users}`, at: sql`${users.createdAt}` },
  sessions: { table: sql`${sessions}`, at: sql`${sessions.createdAt}` },
  consents: { table: sql`${consents}`, at: sql`${consents.acceptedAt}` },
  audit_log: { table: sql`${auditLog}`, at: sql`${auditLog.at}` },
};

/** Longer than any transaction: a row is stamped when its transaction starts. */
const settledAfterMs = 60_000;

/** Null when there was no canary yet. */
export async function readExpectations(ctx: Context, targetAt: Date): Promise<Expectations | null> {
  const settledAt = new Date(targetAt.getTime() - settledAfterMs);
  const { db } = ctx;
  const until = timestamp(settledAt);
  const [canary, migrations, seal] = await db.batch([
    db.execute<{ id: string }>(sql`
      select id from ${backupCanaries} where at <= ${until} order by at desc limit 1`),
    db.execute<{ name: string }>(sql`
      select name from schema_migrations where applied_at <= ${until} order by name collate "C"`),
    db.execute<{ last_id: string; hash: string }>(sql`
      select cast(last_id as text) as last_id, hash from ${auditSeals}
      where at <= ${until} order by last_id desc limit 1`),
  ]);
  const [found] = canary.rows;
  const [newest] = seal.rows;
  if (!found) return null;
  return {
    settledAt: settledAt.toISOString(),
    canaryId: found.id,
    rows: await countRows(ctx, settledAt),
    migrations: migrations.rows.map(({ name }) => name),
    seal: newest ? { lastId: Number(newest.last_id), hash: newest.hash } : null,
  };
}

export async function countRows({ db }: Context, until: Date): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name, { table, at }] of Object.entries(countedTables)) {
    const { rows } = await db.execute<{ count: string }>(
      sql`select count(*) as count from ${table} where ${at} <= ${timestamp(until)}`,
    );
    counts[name] = Number(rows[0]?.count);
  }
  return counts;
}
