import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";

export const DatabaseState = z.strictObject({
  version: z.string(),
  megabytes: z.int(),
  connectionsMax: z.int(),
  /** To this database, by state; the one that counts is included. */
  connections: z.array(z.strictObject({ state: z.string(), count: z.int() })),
  /** The largest tables, sizes with indexes. */
  tables: z.array(z.strictObject({ name: z.string(), megabytes: z.number(), rowsAbout: z.int() })),
});
export type DatabaseState = z.infer<typeof DatabaseState>;

const tablesMax = 10;

export async function databaseState({ db }: Context): Promise<DatabaseState> {
  const { rows } = await db.execute<{ value: DatabaseState }>(sql`
    select json_build_object(
      'version', current_setting('server_version'),
      'megabytes', pg_database_size(current_database()) / 1048576,
      'connectionsMax', cast(current_setting('max_connections') as integer),
      'connections', (select coalesce(json_agg(c), '[]') from (
        select coalesce(state, 'background') as state, cast(count(*) as integer) as count
        from pg_stat_activity where datname = current_database() group by 1 order by 2 desc) as c),
      'tables', (select coalesce(json_agg(t), '[]') from (
        select relname as name, round(pg_total_relation_size(oid) / 1048576.0, 1) as megabytes,
          cast(greatest(reltuples, 0) as bigint) as "rowsAbout"
        from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
        order by pg_total_relation_size(oid) desc limit ${sql.raw(String(tablesMax))}) as t)
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
