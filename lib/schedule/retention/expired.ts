import { type SQL, sql } from "drizzle-orm";
import { recordRemoval } from "../../audit/removals.js";
import type { Context } from "../../context.js";
import { epochMsOf } from "../../db/timestamp.js";
import { type AgedRows, type RetentionClass, retentionClasses } from "./classes.js";
import { cutoff } from "./cutoff.js";

const rowsPerStatement = 1000;

/**
 * Delete expired rows until `endMs`; counts by class. In turns, so that a backlog of one class delays no other. Safe to
 * repeat, also concurrently. Throws the first error after all classes.
 */
export async function pruneExpired(ctx: Context, endMs: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const failures: unknown[] = [];
  let waiting = inTurn(
    retentionClasses.filter(({ rows }) => rows),
    ctx.now,
  );
  while (waiting.length > 0 && performance.now() < endMs) {
    const unfinished: RetentionClass[] = [];
    for (const kind of waiting) {
      try {
        const deleted = await deleteSome(ctx, kind);
        counts[kind.name] = (counts[kind.name] ?? 0) + deleted;
        if (deleted === rowsPerStatement) unfinished.push(kind);
      } catch (error) {
        failures.push(error);
      }
      if (performance.now() >= endMs) break;
    }
    waiting = unfinished;
  }
  if (failures.length > 0) throw failures[0];
  return counts;
}

/** Another class is first in each hour, so that none always comes when the time is up. */
function inTurn<T>(classes: readonly T[], now: Date): T[] {
  const first = Math.floor(now.getTime() / 3_600_000) % classes.length;
  return [...classes.slice(first), ...classes.slice(0, first)];
}

/** SQL: the rows of a class beyond its age. */
export function expiredRows(
  ctx: Context,
  kind: RetentionClass,
  { table, only, ...aged }: AgedRows,
) {
  const before = cutoff(ctx, kind);
  const condition = sql`${sql.identifier(aged.column)} < ${aged.inMs ? epochMsOf(before) : before}`;
  return sql`from ${sql.identifier(table)} where ${condition}${andOnly(only)}`;
}

export const andOnly = (only: string | undefined): SQL =>
  only ? sql` and ${sql.raw(only)}` : sql``;

/** SQL: the column as timestamptz. */
export const momentOf = ({ column, inMs }: AgedRows): SQL =>
  inMs ? sql`to_timestamp(${sql.identifier(column)} / 1000.0)` : sql`${sql.identifier(column)}`;

async function deleteSome(ctx: Context, kind: RetentionClass): Promise<number> {
  const { rows: aged } = kind;
  if (!aged) return 0;
  const { rows } = await ctx.db.execute<{ deleted: number }>(sql`
    with gone as (
      delete from ${sql.identifier(aged.table)} where ctid = any(array(
        select ctid ${expiredRows(ctx, kind, aged)}
        order by ${sql.identifier(aged.column)} limit ${rowsPerStatement} for update skip locked))
      returning ${momentOf(aged)} as moment
    ), ${recordRemoval(ctx, kind.name, sql`select count(*) as rows, max(moment) as removed_to from gone`)}
    select cast(count(*) as integer) as deleted from gone`);
  return rows[0]?.deleted ?? 0;
}
