import { sql } from "drizzle-orm";
import type { OperatorAct } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { isoOf } from "../../db/timestamp.js";
import { retentionParts } from "../../schedule/retention/parts.js";
import { runNow } from "../../schedule/run-cron-now.js";
import type { Removed } from "./state.js";

/** Run the parts of the cleanup that remove, unless it is running; what is left after 10 s waits for the next cleanup. */
export async function runRetention(ctx: Context, by: OperatorAct) {
  const only = retentionParts.map(([name]) => name);
  const report = await runNow(ctx, "cleanup", by, only);
  const unfinished = only.filter((name) => report.parts[name]?.outcome !== "done");
  const { rows } = await ctx.db.execute<{ class: string; rows: string; to: string }>(sql`
    select class, rows, ${isoOf(sql`removed_to`)} as to from retention_removals
    where run = ${ctx.correlationId} order by class`);
  const removed = rows.map(
    (row): Removed => ({ class: row.class, rows: Number(row.rows), to: row.to }),
  );
  return { ran: report.ran, removed, unfinished: report.ran ? unfinished : [] };
}
