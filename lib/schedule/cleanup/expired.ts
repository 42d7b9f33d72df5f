import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { epochMsOf } from "../../db/timestamp.js";

const rowsPerStatement = 1000;

interface Expired {
  table: string;
  column: string;
  before: (ctx: Context) => SQL;
  /** The condition of a partial index. */
  only?: string;
}

/** In UTC, because a day in the time zone of the database can have 23 or 25 hours. */
const since = (age: SQL) => sql`(now() at time zone 'UTC' - ${age}) at time zone 'UTC'`;
const ago = (interval: string) => () => since(sql`cast(${interval} as interval)`);
const msAgo = (interval: string) => () => epochMsOf(since(sql`cast(${interval} as interval)`));
const auditRetention = ({ env }: Context) =>
  since(sql`make_interval(days => ${Math.max(30, env.audit.retentionDays)})`);
/** At least as long as the audit log: together they are the timeline of an incident. */
const incidentRetention = ({ env }: Context) =>
  since(sql`make_interval(days => ${Math.max(90, env.audit.retentionDays)})`);

/** Kept after expiry: 1 hour for clock skew; security events hold full IP addresses, so they are deleted early. */
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
  { table: "alert_transitions", column: "minute", before: incidentRetention },
  { table: "cron_runs", column: "slot", before: ago("30 days") },
  { table: "backup_canaries", column: "at", before: ago("40 days") },
  {
    table: "sessions",
    column: "revoked_at",
    before: auditRetention,
    only: "revoked_at is not null",
  },
];

/** Delete expired rows until `endMs`; counts by table. Safe to repeat, also concurrently. Throws the first error after all tables. */
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
