import { and, eq, gt, sql } from "drizzle-orm";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { alertSilences } from "../db/schema/alerts.js";

export async function isSilenced({ db, now }: Context, rule: string): Promise<boolean> {
  const active = and(eq(alertSilences.rule, rule), gt(alertSilences.until, now));
  return (
    (await db.select({ rule: alertSilences.rule }).from(alertSilences).where(active)).length > 0
  );
}

/** Mute a rule's trigger notices until then, with an audit row; a time not in the future ends it. Resolve notices are still sent. */
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
