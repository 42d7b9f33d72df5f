import { Alerts } from "../../alerts/list-alerts.js";
import { Rules } from "../../alerts/list-rules.js";
import { ruleNames } from "../../alerts/rules.js";
import { numberFrom, oneOf } from "../checks.js";
import type { Command } from "../command.js";
import { table } from "../text.js";
import { minutesSince, upTo } from "../up-to.js";

const list: Command = {
  name: "alerts",
  args: [],
  summary: "the state of every alert, firing ones first",
  async run({ api }) {
    const found = await api.get(Alerts, "/api/ops/alerts");
    const rows = found.alerts.map((alert) => ({
      state: alert.state,
      rule: alert.label ? `${alert.rule} (${alert.label})` : alert.rule,
      since: alert.since,
      // The whole URL does not fit; --json has it.
      runbook: alert.state === "inactive" ? null : alert.runbook.replace(/^.*\//, ""),
      detail: [alert.detail, ...notesOf(alert)].join("; "),
    }));
    const silences = found.silences.map(({ rule, until }) => `\nSilenced: ${rule} until ${until}`);
    const text = [
      table(rows, "No alerts yet.", ["runbook"]),
      ...silences,
      `\nUndelivered notices: ${found.unsent}.`,
      `\n${evaluationText(found.evaluatedUntil)}`,
    ].join("");
    return { body: found, text };
  },
};

function notesOf({ heldBackBy = [], isResolving }: Alerts["alerts"][number]): string[] {
  return [
    ...(isResolving ? ["resolving"] : []),
    ...(heldBackBy.length > 0 ? [`held back by ${heldBackBy.join(", ")}`] : []),
  ];
}

const minuteMs = 60_000;
/** Counters are drained once a minute, and a minute is evaluated when all its events are drained. */
const lateMinutes = 5;

/** `evaluatedUntil` is the start of the last evaluated minute. */
function evaluationText(evaluatedUntil: string): string {
  const endMs = Date.parse(evaluatedUntil) + minuteMs;
  if (endMs === minuteMs) return "Not evaluated yet.";
  const late = "\nThat is late: see `npm run ops -- cron` and `npm run ops -- drain`.";
  return `Evaluated up to ${upTo(endMs)}.${minutesSince(endMs) > lateMinutes ? late : ""}`;
}

const rules: Command = {
  name: "alerts rules",
  args: [],
  summary: "the current result of every rule, and the age of its data",
  async run({ api }) {
    const found = await api.get(Rules, "/api/ops/alerts/rules");
    const rows = found.rules.flatMap(({ rule, priority, now }) => {
      const known = now.length > 0 ? now : [{ label: "", is: "unknown", detail: "no data" }];
      return known.map(({ label, is, detail }) => ({
        rule: label ? `${rule} (${label})` : rule,
        priority,
        result: is,
        measured: detail,
      }));
    });
    const ageSeconds = Math.max(0, ...found.rules.map((rule) => rule.ageSeconds));
    const age = `\nCounts in minutes are ${ageSeconds} s old, all other values are of now.`;
    return { body: found, text: table(rows) + age };
  },
};

const test: Command = {
  name: "alerts test",
  args: ["RULE"],
  summary: "send a test notice of a rule and show whether it was delivered",
  checks: { RULE: oneOf(ruleNames) },
  changes: true,
  async run({ api, args: [rule] }) {
    const result = await api.change("POST", "/api/ops/alerts/tests", { rule });
    // A dry run has no delivery.
    const { isDelivered, way } = result.detail;
    return { ...result, isProblem: isDelivered === false || way === null };
  },
};

const silence: Command = {
  name: "alerts silence",
  args: ["RULE"],
  summary: "silence the alerts of a rule for --minutes 60 (0 ends the silence)",
  options: { minutes: { type: "string", default: "60" } },
  checks: { RULE: oneOf(ruleNames), minutes: numberFrom(0, 7 * 24 * 60) },
  changes: true,
  run({ api, args: [rule], options: { minutes } }) {
    return api.change("POST", "/api/ops/alerts/silences", { rule, minutes: Number(minutes) });
  },
};

export const alerts = [list, rules, test, silence];
