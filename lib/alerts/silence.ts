import { sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { alertSilences } from "../db/schema/alerts.js";

/** Tell nobody of a rule until then; a moment that has passed ends the silence. */
export async function silence(
  ctx: Context,
  rule: string,
  until: Date,
  by: OperatorAct,
): Promise<void> {
  await ctx.db.batch([
    ctx.db
      .insert(alertSilences)
      .values({ rule, until })
      .onConflictDoUpdate({ target: alertSilences.rule, set: { until: sql`excluded.until` } }),
    auditRow(ctx, { ...by, action: "alert.silenced", subjectId: rule }),
  ]);
}
