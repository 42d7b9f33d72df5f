import { Alerts } from "../../alerts/list-alerts.js";
import { Rules } from "../../alerts/list-rules.js";
import { ruleNames } from "../../alerts/rules.js";
import { numberFrom, oneOf } from "../checks.js";
import type { Command } from "../command.js";
import { table } from "../text.js";

const list: Command = {
  name: "alerts",
  args: [],
  summary: "the state of every alert, firing ones first",
  async run({ api }) {
    const found = await api.get(Alerts, "/api/ops/alerts");
    const rows = found.alerts.map(({ rule, label, state, since, detail, runbook }) => ({
      state,
      rule: label ? `${rule} (${label})` : rule,
      since,
      detail,
      // The whole URL does not fit; --json has it.
      runbook: state === "inactive" ? null : runbook.replace(/^.*\//, ""),
    }));
    const silences = found.silences.map(({ rule, until }) => `\nSilenced: ${rule} until ${until}`);
    const text = [
      table(rows, "No alerts yet."),
      ...silences,
      `\nEvaluated until ${found.evaluatedUntil}. Undelivered notices: ${found.unsent}.`,
    ].join("");
    return { body: found, text };
  },
};

const rules: Command = {
  name: "alerts rules",
  args: [],
  summary: "the current result of every rule, and the age of its data",
  async run({ api }) {
    const found = await api.get(Rules, "/api/ops/alerts/rules");
    const rows = found.rules.flatMap(({ rule, priority, ageSeconds, now }) => {
      const known = now.length > 0 ? now : [{ label: "", is: "unknown", detail: "no data" }];
      return known.map(({ label, is, detail }) => ({
        rule: label ? `${rule} (${label})` : rule,
        priority,
        result: is,
        measured: detail,
        age: `${ageSeconds} s`,
      }));
    });
    return { body: found, text: table(rows) };
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
    return { ...result, isProblem: result.detail.isDelivered === false };
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
