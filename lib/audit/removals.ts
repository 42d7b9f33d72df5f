import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { retentionRemovals } from "../db/schema/retention.js";
import { seriesName } from "../observability/metrics.js";

/**
 * SQL: CTEs that record what a statement removes, in the report of removals and in the metric. `removed` is a query with the
 * columns `rows` and `removed_to`; nothing is recorded for 0 rows. The function `drop_access_log_partition` does the same.
 */
export function recordRemoval({ correlationId }: Context, name: string, removed: SQL): SQL {
  const series = seriesName("retention_removed_rows_total", { class: name });
  return sql`removed as materialized (
      select * from (${removed}) as counted where rows > 0
    ), reported as (
      insert into ${retentionRemovals} as before (run, class, rows, removed_to)
      select cast(${correlationId} as text), cast(${name} as text), rows, removed_to from removed
      on conflict (run, class) do update
        set rows = before.rows + excluded.rows, removed_to = greatest(before.removed_to, excluded.removed_to), at = now()
    ), measured as (
      insert into telemetry_totals as before (series, value)
      select cast(${series} as text), rows from removed
      on conflict (series) do update set value = before.value + excluded.value
    )`;
}
