import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { msOf } from "../../db/timestamp.js";

const rowsPerStatement = 1000;

/** Rows of one table that are of no use any more, by a column that has an index. */
interface Expired {
  table: string;
  column: string;
  /** They go when the column is before this. */
  before: (ctx: Context) => SQL;
  /** As the index says it, where it does not hold every row. */
  only?: string;
}

/** In UTC, where every day has 24 hours. */
const since = (age: SQL) => sql`(now() at time zone 'UTC' - ${age}) at time zone 'UTC'`;
const ago = (interval: string) => () => since(sql`cast(${interval} as interval)`);
/** Columns that hold milliseconds. */
const msAgo = (interval: string) => () => msOf(since(sql`cast(${interval} as interval)`));
/** As long as the audit log names them. */
const audited = ({ env }: Context) =>
  since(sql`make_interval(days => ${Math.max(30, env.audit.retentionDays)})`);
/** As long as the audit log, with which they make the timeline of an incident. */
const incidents = ({ env }: Context) =>
  since(sql`make_interval(days => ${Math.max(90, env.audit.retentionDays)})`);

/**
 * How long rows stay after they have ended. The hour is for clocks that differ. A revoked session stays
 * as long as the audit log, which names it, and as its device is known by it; security events hold whole
 * addresses, and go sooner.
 */
const expired: readonly Expired[] = [
  { table: "mail_codes", column: "expires_at", before: ago("1 hour") },
  { table: "email_changes", column: "expires_at", before: ago("1 hour") },
  { table: "mail_budgets", column: "last_admitted_at", before: ago("2 days") },
  { table: "rate_limits", column: "resets_at_ms", before: msAgo("1 hour") },
  { table: "login_delays", column: "expires_at_ms", before: msAgo("1 hour") },
  { table: "idempotency_keys", column: "created_at", before: ago("7 days") },
  { table: "queue_entries", column: "done_at", before: ago("7 days"), only: "done_at is not null" },
  { table: "webhook_events", column: "received_at", before: ago("30 days") },
  { table: "security_events", column: "at", before: ago("30 days") },
  { table: "blocks", column: "expires_at", before: ago("30 days") },
  { table: "unusual_usage", column: "hour", before: ago("30 days") },
  { table: "alert_transitions", column: "minute", before: incidents },
  { table: "cron_runs", column: "slot", before: ago("30 days") },
  { table: "sessions", column: "revoked_at", before: audited, only: "revoked_at is not null" },
];

/**
 * Delete what has expired, the oldest first, a thousand rows a statement, until `endMs` (by
 * `performance.now()`). Resolves to how many rows of each table went. Running it at once or twice is
 * harmless: each row goes once. A table that fails keeps no other from its turn; the failure is thrown.
 */
export async function pruneExpired(ctx: Context, endMs: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const failures: unknown[] = [];
  for (const kind of expired) {
    try {
      counts[kind.table] = await pruneTable(ctx, kind, endMs);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return counts;
}

async function pruneTable(ctx: Context, kind: Expired, endMs: number): Promise<number> {
  let count = 0;
  for (let last = rowsPerStatement; last === rowsPerStatement && performance.now() < endMs; ) {
    last = await deleteSome(ctx, kind);
    count += last;
  }
  return count;
}

async function deleteSome(ctx: Context, { table, column, before, only }: Expired): Promise<number> {
  const [name, by] = [sql.identifier(table), sql.identifier(column)];
  const { rowCount } = await ctx.db.execute(sql`
    delete from ${name} where ctid = any(array(
      select ctid from ${name}
      where ${by} < ${before(ctx)}${only ? sql` and ${sql.raw(only)}` : sql``}
      order by ${by} limit ${rowsPerStatement} for update skip locked))`);
  return rowCount;
}
