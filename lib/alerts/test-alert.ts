import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { alertKey, alertNoticeOf } from "./notice.js";
import type { Channel, Rule } from "./rule.js";
import { ruleNames } from "./rules.js";
import { routesOf, send } from "./send-notice.js";

export const RuleName = z.enum(ruleNames);

/** `way` is the route used; null when no route is configured. */
export interface TestAlertResult {
  way: string | null;
  /** `accepted`, `unaddressed` or an error code. */
  outcome: string;
}

/** Send a marked test notice, with a key of its own, once to the channel's first configured route, and resolve it. Writes an audit row. */
export async function testAlert(
  ctx: Context,
  rule: Rule,
  by: OperatorAct,
): Promise<TestAlertResult> {
  const channel = channelOfTest(rule);
  const of = {
    key: `${alertKey(ctx, rule.name, "")}test`,
    label: "",
    detail: "Test of this alert by an operator. No action is needed.",
    minute: Math.floor(ctx.now.getTime() / 60_000) * 60_000,
    priority: rule.priority,
    channel,
    isTest: true,
  };
  await auditRow(ctx, { ...by, action: "alert.tested", subjectId: rule.name });
  const [way] = routesOf(ctx.env, channel);
  if (!way) return { way: null, outcome: "unaddressed" };
  for (const event of ["trigger", "resolve"] as const) {
    const { id, payload } = alertNoticeOf(rule, { event, ...of });
    const outcome = await send(ctx, way, payload, id);
    if (outcome.kind !== "accepted") return { way: way.name, outcome: outcome.reason };
  }
  return { way: way.name, outcome: "accepted" };
}

/** A rule about the channels is tested on the most important one. */
export const channelOfTest = ({ channel }: Rule): Channel =>
  channel === "other" ? "page" : channel;
