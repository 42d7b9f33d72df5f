import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { alertSilences } from "../../db/schema/alerts.js";
import { deliverNotices } from "./deliver-notices.js";
import { alertKey, noticeOf, queueNotice } from "./notice.js";
import type { Rule } from "./rule.js";
import { ruleNames } from "./rules.js";

export const RuleName = z.enum(ruleNames);

/**
 * Send a marked notice of a rule through its channel, end to end, and take it back in the same breath:
 * nobody has to close it. Under a key of its own, so that a real alert is not resolved by it.
 */
export async function testAlert(ctx: Context, rule: Rule, by: OperatorAct): Promise<void> {
  const { priority } = rule;
  const channel = rule.channel === "other" ? "page" : rule.channel;
  const of = {
    key: `${alertKey(ctx, rule.name, "")}test`,
    label: "",
    detail: "An operator asks whether this arrives.",
    minute: Math.floor(ctx.now.getTime() / 60_000) * 60_000,
    priority,
    channel,
    isTest: true,
  };
  await ctx.db.batch([
    queueNotice(ctx, noticeOf(rule, { event: "trigger", ...of }), ctx.now),
    queueNotice(ctx, noticeOf(rule, { event: "resolve", ...of }), ctx.now),
    auditRow(ctx, { ...by, action: "alert.tested", subjectId: rule.name }),
  ]);
  ctx.after(() => deliverNotices(ctx));
}

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
