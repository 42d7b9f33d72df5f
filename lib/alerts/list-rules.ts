import * as z from "zod";
import type { Context } from "../context.js";
import { labelsIn } from "./evaluate.js";
import { alertKey } from "./notice.js";
import { runProbes } from "./probes.js";
import { readMeasures } from "./read-measures.js";
import type { Rule } from "./rule.js";
import { rules } from "./rules.js";
import { runbookUrl } from "./send-notice.js";
import { isCounterCondition, verdict } from "./verdict.js";

const RuleShown = z.strictObject({
  rule: z.string(),
  priority: z.enum(["P1", "P2", "P3"]),
  channel: z.string(),
  forMinutes: z.int(),
  resolveMinutes: z.int(),
  runbook: z.string(),
  /** The last minute that can be judged, and how long ago it ended: 0 for gauges. */
  minute: z.iso.datetime(),
  ageSeconds: z.int(),
  now: z.array(
    z.strictObject({
      label: z.string(),
      is: z.enum(["bad", "good", "unknown"]),
      detail: z.string(),
      state: z.enum(["inactive", "pending", "firing"]),
    }),
  ),
});

export const Rules = z.strictObject({ rules: z.array(RuleShown) });
export type Rules = z.infer<typeof Rules>;

/** Every rule's verdict on its last minute. Probes the stores and services; changes no alert. */
export async function listRules(ctx: Context): Promise<Rules> {
  const { measures, now, alerts } = await readMeasures(ctx, await runProbes(ctx));
  const alertsByKey = new Map(alerts.map((alert) => [alert.key, alert]));
  const shown = (rules as readonly Rule[]).map((rule) => {
    const { name, condition, priority, channel, forMinutes, resolveMinutes } = rule;
    const counted = isCounterCondition(condition);
    const minute = counted ? measures.countedUntil : now.minute;
    const endedMs = counted ? minute + 60_000 : ctx.now.getTime();
    return {
      rule: name,
      priority,
      channel,
      forMinutes,
      resolveMinutes,
      runbook: runbookUrl(ctx.env.alerts, { rule: name }),
      minute: new Date(minute).toISOString(),
      ageSeconds: Math.max(0, Math.floor((ctx.now.getTime() - endedMs) / 1000)),
      now: [...labelsIn(rule, measures, alertsByKey)].sort().map((label) => {
        const { is, detail } = verdict(condition, label, minute, measures);
        const state = alertsByKey.get(alertKey(ctx, name, label))?.state ?? ("inactive" as const);
        return { label, is, detail, state };
      }),
    };
  });
  return { rules: shown };
}
