import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { isoOf } from "../../db/timestamp.js";

export const DatabaseState = z.strictObject({
  version: z.string(),
  megabytes: z.int(),
  /** A replica, or a server that was set read-only. */
  isReadOnly: z.boolean(),
  /** Of the role: what the server itself allows a statement; 0 without a bound. */
  statementTimeoutMs: z.int(),
  /** Transactions since the oldest frozen row; Postgres stops near 2 billion. */
  transactionAge: z.int(),
  connectionsMax: z.int(),
  /** To this database, by state; the one that counts is included. */
  connections: z.array(z.strictObject({ state: z.string(), count: z.int() })),
  /** Each the oldest, without this read. The statement as in `SlowStatements`. */
  longest: z.array(
    z.strictObject({
      kind: z.enum(["statement", "transaction"]),
      pid: z.int(),
      seconds: z.number(),
      state: z.string(),
      statement: z.string(),
    }),
  ),
  /** Statements that wait for a lock, the longest first, and who holds it. */
  lockWaits: z.array(
    z.strictObject({
      pid: z.int(),
      seconds: z.number(),
      blockedBy: z.array(z.int()),
      statement: z.string(),
    }),
  ),
  /** As this server sees them; empty without the right to see them. */
  replicas: z.array(z.strictObject({ name: z.string(), lagSeconds: z.number().nullable() })),
  /** The largest tables, sizes with indexes as the last vacuum counted them; a partitioned table is one. */
  tables: z.array(z.strictObject({ name: z.string(), megabytes: z.number(), rowsAbout: z.int() })),
  /** Tables of which a fifth or more are dead rows that no vacuum has removed. */
  bloated: z.array(
    z.strictObject({
      name: z.string(),
      deadRows: z.int(),
      vacuumedAt: z.iso.datetime().nullable(),
    }),
  ),
});
export type DatabaseState = z.infer<typeof DatabaseState>;

const tablesMax = 10;
const waitsMax = 10;
// Functions, so that the CLI, which reads the schemas of this file, has no SQL in its bundle.
const statementText = () => sql`left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), 200)`;
const isOurs = () =>
  sql`datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
/** SQL: pages of 8 kB of a table with its indexes, as the last vacuum counted them: the exact size waits for who has locked the table. */
const pagesOf = (table: SQL) => sql`(${table}.relpages
  + coalesce((select relpages from pg_class where oid = ${table}.reltoastrelid), 0)
  + coalesce((select sum(relpages) from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = ${table}.oid), 0))`;
const secondsSince = (moment: SQL) =>
  sql`round(cast(extract(epoch from clock_timestamp() - ${moment}) as numeric), 1)`;

export async function databaseState({ db }: Context): Promise<DatabaseState> {
  const { rows } = await db.execute<{ value: DatabaseState }>(sql`
    select json_build_object(
      'version', current_setting('server_version'),
      'megabytes', pg_database_size(current_database()) / 1048576,
      'isReadOnly', pg_is_in_recovery() or current_setting('transaction_read_only') = 'on',
      'statementTimeoutMs', (select cast(setting as integer) from pg_settings where name = 'statement_timeout'),
      'transactionAge', (select age(datfrozenxid) from pg_database where datname = current_database()),
      'connectionsMax', cast(current_setting('max_connections') as integer),
      'connections', (select coalesce(json_agg(c), '[]') from (
        select coalesce(state, 'background') as state, cast(count(*) as integer) as count
        from pg_stat_activity where datname = current_database() group by 1 order by 2 desc) as c),
      'tables', (select coalesce(json_agg(t), '[]') from (
        select coalesce(cast(cast(inhparent as regclass) as text), relname) as name,
          round(sum(${pagesOf(sql`t`)}) / 128.0, 1) as megabytes,
          cast(sum(greatest(reltuples, 0)) as bigint) as "rowsAbout"
        from pg_class as t left join pg_inherits on inhrelid = t.oid
        where relkind = 'r' and relnamespace = 'public'::regnamespace
        group by 1 order by 2 desc limit ${sql.raw(String(tablesMax))}) as t),
      'longest', (select coalesce(json_agg(l), '[]') from (
        (select 'statement' as kind, pid, ${secondsSince(sql`query_start`)} as seconds, state, ${statementText()} as statement
        from pg_stat_activity where ${isOurs()} and state = 'active' order by query_start limit 1)
        union all
        (select 'transaction', pid, ${secondsSince(sql`xact_start`)}, state, ${statementText()}
        from pg_stat_activity where ${isOurs()} and xact_start is not null order by xact_start limit 1)) as l),
      'lockWaits', (select coalesce(json_agg(w), '[]') from (
        select pid, ${secondsSince(sql`query_start`)} as seconds, pg_blocking_pids(pid) as "blockedBy", ${statementText()} as statement
        from pg_stat_activity where ${isOurs()} and wait_event_type = 'Lock'
        order by query_start limit ${sql.raw(String(waitsMax))}) as w),
      'replicas', (select coalesce(json_agg(r), '[]') from (
        select application_name as name, extract(epoch from replay_lag) as "lagSeconds"
        from pg_stat_replication where application_name is not null and state = 'streaming') as r),
      'bloated', (select coalesce(json_agg(b), '[]') from (
        select relname as name, n_dead_tup as "deadRows",
          ${isoOf(sql`greatest(last_vacuum, last_autovacuum)`)} as "vacuumedAt"
        from pg_stat_user_tables
        where schemaname = 'public' and n_dead_tup > 10000 and n_dead_tup * 4 > n_live_tup
        order by n_dead_tup desc limit ${sql.raw(String(tablesMax))}) as b)
    ) as value`);
  return DatabaseState.parse(rows[0]?.value);
}

export const SlowStatements = z.strictObject({
  /** `running`: the statements that run now, when `pg_stat_statements` is not installed; then `totalSeconds` is their age. */
  source: z.enum(["pg_stat_statements", "running"]),
  items: z.array(
    z.strictObject({
      /** The first 200 characters. Without parameter values; running ones keep the literals in their text. */
      statement: z.string(),
      calls: z.int().nullable(),
      meanMs: z.number().nullable(),
      totalSeconds: z.number(),
    }),
  ),
});
export type SlowStatements = z.infer<typeof SlowStatements>;

const listedMax = 20;
const lengthMax = 200;

/** The statements with the most time in total; without `pg_stat_statements`, those running for over a second. */
export async function slowStatements({ db }: Context): Promise<SlowStatements> {
  const { rows: installed } = await db.execute(
    sql`select 1 from pg_extension where extname = 'pg_stat_statements'`,
  );
  const limit = sql.raw(String(listedMax));
  const length = sql.raw(String(lengthMax));
  if (installed.length > 0) {
    const { rows } = await db.execute<Counted>(sql`
      select left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), ${length}) as statement,
        cast(calls as integer) as calls,
        to_json(cast(mean_exec_time as numeric)) as mean,
        to_json(cast(total_exec_time / 1000 as numeric)) as total
      from pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())
      order by total_exec_time desc limit ${limit}`);
    return { source: "pg_stat_statements", items: rows.map(presented) };
  }
  const { rows } = await db.execute<Counted>(sql`
    select left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), ${length}) as statement, null as calls,
      null as mean, to_json(extract(epoch from now() - query_start)) as total
    from pg_stat_activity
    where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()
      and now() - query_start > interval '1 second'
    order by query_start limit ${limit}`);
  return { source: "running", items: rows.map(presented) };
}

// A type, not an interface: `db.execute` needs an index signature.
type Counted = { statement: string; calls: number | null; mean: number | null; total: number };

function presented({ statement, calls, mean, total }: Counted) {
  return {
    statement,
    calls,
    meanMs: mean === null ? null : Math.round(mean * 100) / 100,
    totalSeconds: Math.round(total * 100) / 100,
  };
}
