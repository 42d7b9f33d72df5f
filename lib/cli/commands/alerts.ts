import { Alerts } from "../../alerts/list-alerts.js";
import { Rules } from "../../alerts/list-rules.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const list: Command = {
  name: "alerts",
  args: [],
  summary: "the state of every alert, firing ones first",
  async run({ api }) {
    const found = Alerts.parse(await api.get("/api/ops/alerts"));
    const rows = found.alerts.map(({ rule, label, state, since, detail, runbook }) => ({
      state,
      rule: label ? `${rule} (${label})` : rule,
      since,
      detail,
      runbook: state === "inactive" ? null : runbook,
    }));
    const silences = found.silences.map(({ rule, until }) => `\nSilenced: ${rule} until ${until}`);
    const text = [
      table(rows, "No alerts yet."),
      ...silences,
      `\nEvaluated until ${found.evaluatedUntil}. Undelivered notices: ${found.unsent}.`,
    ].join("");
    return { body: found, text, isProblem: found.alerts.some(({ state }) => state === "firing") };
  },
};

const rules: Command = {
  name: "alerts rules",
  args: [],
  summary: "the current result of every rule, and the age of its data",
  async run({ api }) {
    const found = Rules.parse(await api.get("/api/ops/alerts/rules"));
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
    const isProblem = found.rules.some(({ now }) => now.some(({ is }) => is === "bad"));
    return { body: found, text: table(rows), isProblem };
  },
};

const test: Command = {
  name: "alerts test",
  args: ["RULE"],
  summary: "send a test notice of a rule and show whether it was delivered",
  changes: true,
  async run({ api, args: [rule] }) {
    const result = await api.change("POST", "/api/ops/alerts/tests", { rule });
    const { detail } = result.body as { detail: { isDelivered?: boolean } };
    return { ...result, isProblem: detail.isDelivered === false };
  },
};

const silence: Command = {
  name: "alerts silence",
  args: ["RULE"],
  summary: "silence the alerts of a rule for --minutes 60 (0 ends the silence)",
  options: { minutes: { type: "string", default: "60" } },
  changes: true,
  run({ api, args: [rule], options: { minutes } }) {
    if (!/^\d{1,5}$/.test(String(minutes))) throw new UsageError("--minutes must be a number.");
    return api.change("POST", "/api/ops/alerts/silences", { rule, minutes: Number(minutes) });
  },
};

export const alerts = [list, rules, test, silence];
