import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { isoOf } from "../../db/timestamp.js";

export const RetentionReport = z.strictObject({
  items: z.array(
    z.strictObject({
      /** UTC. */
      day: z.iso.date(),
      class: z.string(),
      /** About as many of the access log. */
      rows: z.int(),
      runs: z.int(),
      /** The newest of these rows was of this moment. */
      removedTo: z.iso.datetime(),
    }),
  ),
});
export type RetentionReport = z.infer<typeof RetentionReport>;

/** What was removed on each of the last days, the newest first. */
export async function retentionReport(ctx: Context, days: number): Promise<RetentionReport> {
  const { rows } = await ctx.db.execute<RetentionReport["items"][number]>(sql`
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD') as day, class,
      cast(sum(rows) as bigint) as rows, cast(count(*) as integer) as runs,
      ${isoOf(sql`max(removed_to)`)} as "removedTo"
    from retention_removals where at > now() - make_interval(days => cast(${days} as integer))
    group by 1, 2 order by 1 desc, 2`);
  return { items: rows.map((row) => ({ ...row, rows: Number(row.rows) })) };
}
