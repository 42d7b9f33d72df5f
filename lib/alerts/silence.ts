import { sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { alertSilences } from "../db/schema/alerts.js";

/** Silence a rule's alerts until then; a time in the past ends the silence. */
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
