import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { alertKey, alertNoticeOf } from "./notice.js";
import type { Channel, Rule } from "./rule.js";
import { ruleNames } from "./rules.js";
import { routesOf, send } from "./send-notice.js";

export const RuleName = z.enum(ruleNames);

/** What became of a test: `way` is null where nobody is set to be told. */
export interface Tested {
  way: string | null;
  /** `accepted`, or a word of why it was not. */
  outcome: string;
}

/**
 * Send a marked notice of a rule through its channel, and take it back in the same breath: nobody has to
 * close it. Under a key of its own, so that a real alert is not resolved by it. It is sent at once, not
 * queued, and through no other way where its own does not take it: that is what is asked.
 */
export async function testAlert(ctx: Context, rule: Rule, by: OperatorAct): Promise<Tested> {
  const channel = channelOfTest(rule);
  const of = {
    key: `${alertKey(ctx, rule.name, "")}test`,
    label: "",
    detail: "An operator asks whether this arrives.",
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

/** A rule about the channels is tested on the one that matters most. */
export const channelOfTest = ({ channel }: Rule): Channel =>
  channel === "other" ? "page" : channel;
