import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { auditRetirements, auditSeals } from "../../db/schema/security.js";
import { isoOf } from "../../db/timestamp.js";
import {
  type RetentionClass,
  retentionClass,
  retentionClasses,
} from "../../schedule/retention/classes.js";
import { cutoff } from "../../schedule/retention/cutoff.js";
import { andOnly, expiredRows, momentOf } from "../../schedule/retention/expired.js";
import { sessionsPerRun } from "../../schedule/retention/idle-sessions.js";

const nullableTimestamp = z.iso.datetime().nullable();

const RetentionState = z.strictObject({
  name: z.string(),
  holds: z.string(),
  keptHours: z.int(),
  /** What the hours are counted from. */
  since: z.string(),
  setBy: z.string().nullable(),
  removal: z.enum(["partitions", "sealed segments", "rows"]),
  /** What the age of the oldest is counted from; null while no age counts, as before an expiry. */
  oldestAt: nullableTimestamp,
  /** Rows beyond their age, at most `beyondMax`; estimated for the access log and expired sessions. */
  beyond: z.int(),
  /** Still there after two runs that should have removed it. */
  isOverdue: z.boolean(),
  lastRemovalAt: nullableTimestamp,
});
export const RetentionClasses = z.strictObject({
  /** `beyond` counts no further. */
  beyondMax: z.int(),
  classes: z.array(RetentionState),
});
export type RetentionClasses = z.infer<typeof RetentionClasses>;

const beyondMax = 50_000;
const periodsMax = 2;

/** Each class with its age and what is beyond it. One Postgres call, bounded also with a large backlog. */
export async function retentionState(ctx: Context): Promise<RetentionClasses> {
  const found = await ctx.db.batch([
    ctx.db.execute<Last>(sql`
      select name, ${isoOf(sql`last.at`)} as at
      from unnest(cast(${sql.param(retentionClasses.map(({ name }) => name))} as text[])) as name
      cross join lateral (
        select at from retention_removals where class = name order by at desc limit 1) as last`),
    ...retentionClasses.map((kind) => ctx.db.execute<Measured>(measured(ctx, kind))),
  ]);
  const [last, ...states] = found as unknown as [{ rows: Last[] }, ...{ rows: Measured[] }[]];
  const classes = retentionClasses.map(({ rows: _, keptHours, setBy = null, ...kind }, at) => {
    const { oldest = null, beyond = 0, is_overdue: isOverdue = false } = states[at]?.rows[0] ?? {};
    return {
      ...kind,
      keptHours: keptHours(ctx.env),
      setBy,
      oldestAt: oldest,
      beyond,
      isOverdue,
      lastRemovalAt: last.rows.find(({ name }) => name === kind.name)?.at ?? null,
    };
  });
  return { beyondMax, classes };
}

// Types, not interfaces: `db.execute` needs an index signature.
type Last = { name: string; at: string };
type Measured = { oldest: string | null; beyond: number; is_overdue: boolean };

function measured(ctx: Context, kind: RetentionClass): SQL {
  if (kind.name === "access_log") return accessLog(ctx, kind);
  if (kind.name === "audit_log") return auditLog(ctx, kind);
  if (kind.name === "sessions_expired") return expiredSessions(ctx, kind);
  const { rows: aged } = kind;
  if (!aged) throw new Error(`Retention class ${kind.name} has no table.`);
  const [table, column] = [sql.identifier(aged.table), sql.identifier(aged.column)];
  const oldest = sql`(
    select ${momentOf(aged)} from ${table} where ${column} is not null${andOnly(aged.only)}
    order by ${column} limit 1)`;
  const beyond = sql`(
    select count(*) from (select 1 ${expiredRows(ctx, kind, aged)} limit ${beyondMax}) as expired)`;
  return answer(ctx, kind, sql`select ${oldest} as oldest, ${beyond} as beyond`);
}

/** Counts as overdue after two more periods; `hours` is SQL for the length of one. */
function answer(ctx: Context, kind: RetentionClass, found: SQL, hours = sql`1`): SQL {
  return sql`select ${isoOf(sql`case when oldest <= now() then oldest end`)} as oldest, cast(coalesce(beyond, 0) as integer) as beyond,
      coalesce(oldest < ${cutoff(ctx, kind, periodsMax)} - make_interval(hours => ${periodsMax} * (${hours} - 1)), false)
        as is_overdue
    from (${found}) as found`;
}

/** A day is as old as its end. Its rows are those that Postgres counted last. */
function accessLog(ctx: Context, kind: RetentionClass): SQL {
  return answer(
    ctx,
    kind,
    sql`select min(ends_at) as oldest,
        least(coalesce(sum(tuples) filter (where ends_at <= ${cutoff(ctx, kind)}), 0), ${beyondMax}) as beyond
      from (
        select greatest(reltuples, 0) as tuples,
          cast(to_date(right(relname, 8), 'YYYYMMDD') + 1 as timestamp) at time zone 'UTC' as ends_at
        from pg_class
        where relnamespace = (select relnamespace from pg_class where oid = 'access_log'::regclass)
          and relkind = 'r' and relname ~ '^access_log_[0-9]{8}$') as days`,
  );
}

function auditLog(ctx: Context, kind: RetentionClass): SQL {
  const kept = sql`last_id > coalesce((select max(last_id) from ${auditRetirements}), 0)`;
  return answer(
    ctx,
    kind,
    sql`select (select at from ${auditSeals} where ${kept} order by last_id limit 1) as oldest,
      (select least(coalesce(sum(rows), 0), ${beyondMax}) from ${auditSeals} where ${kept} and at < ${cutoff(ctx, kind)}) as beyond`,
  );
}

/** From a sample, because no index knows when sessions expire. A run reads a part of the table. */
function expiredSessions(ctx: Context, kind: RetentionClass): SQL {
  const size = sql`(select greatest(reltuples, 1) from pg_class where oid = 'sessions'::regclass)`;
  return answer(
    ctx,
    kind,
    sql`select min(least(idle_expires_at, expires_at)) as oldest,
        least(count(*) filter (where least(idle_expires_at, expires_at) < ${cutoff(ctx, kind)})
          * greatest(1, ${size} / ${sql.raw(String(sampledMax))}), ${beyondMax}) as beyond
      from sessions tablesample system (least(100, 100.0 * ${sql.raw(String(sampledMax))} / ${size})) repeatable (0)`,
    sql`(1 + cast(floor(${size} / ${sessionsPerRun}) as integer))`,
  );
}

const sampledMax = 100_000;

export interface Removed {
  class: string;
  rows: number;
  /** In a dry run: those older than this moment. */
  before?: string;
  /** The newest row was of this moment. */
  to?: string;
}

/** What a run would remove now, by class. */
export async function removable(ctx: Context): Promise<Removed[]> {
  const { classes } = await retentionState(ctx);
  return classes
    .filter(({ beyond }) => beyond > 0)
    .map(({ name, beyond }) => ({
      class: name,
      rows: beyond,
      before: new Date(ctx.now.getTime() - hoursOf(ctx, name) * 3_600_000).toISOString(),
    }));
}

const hoursOf = (ctx: Context, name: string) => retentionClass(name).keptHours(ctx.env);
