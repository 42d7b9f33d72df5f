import { stringify } from "yaml";
import type { Condition, Priority, Rule } from "../../lib/alerts/rule.js";
import { rules, runbookSlug } from "../../lib/alerts/rules.js";
import { variables } from "../../lib/env-variables.js";
import { expressionOf, type RecordingRule, scraped, scrapedLabel } from "./expression.js";

const made = "# Generated from lib/alerts/rules.ts by `npm run docs:write`.\n";

/** docs/prometheus/alerts.yml: the rules of our evaluator in PromQL. */
export function alertFile(): string {
  const group = { name: "linguamate", interval: "1m", rules: [scraped, ...rules.flatMap(rulesOf)] };
  return `${made}${stringify({ groups: [group] }, { lineWidth: 0 })}`;
}

/** The receivers have no contacts yet: Alertmanager accepts that and sends nothing. */
const routes = {
  route: {
    receiver: "investigate",
    group_by: ["alertname", "job"],
    routes: [
      { matchers: ["notify = page"], receiver: "page" },
      { matchers: ["notify = team"], receiver: "team" },
      { matchers: ["notify = other", "channel = page"], receiver: "team" },
      { matchers: ["notify = other"], receiver: "page" },
    ],
  },
  receivers: ["page", "team", "investigate"].map((name) => ({ name })),
};

/** docs/prometheus/alertmanager.yml: who is notified, and which alerts are silent while others fire. */
export function alertmanagerFile(): string {
  const inhibit_rules = rules.flatMap((rule: Rule) =>
    (rule.inhibitedBy ?? []).map((source) => ({
      source_matchers: [`alertname = ${source}`],
      target_matchers: [`alertname = ${rule.name}`],
      equal: ["job", ...labelOf(rule.condition)],
    })),
  );
  return `${made}${stringify({ ...routes, inhibit_rules }, { lineWidth: 0 })}`;
}

interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  keep_firing_for: string;
  /** `notify` is the channel: some alerts already have a label `channel`. */
  labels: { priority: Priority; notify: string };
  annotations: { summary: string; runbook_url: string };
}

/** The recording rules of a rule, its alert, and the alert of its escalation. */
function rulesOf(rule: Rule): (RecordingRule | AlertRule)[] {
  const { records } = expressionOf(rule);
  const { escalates } = rule;
  const escalated = escalates ? [alertRule({ ...rule, ...escalates }, escalates.times)] : [];
  return [...records, alertRule(rule), ...escalated];
}

function alertRule(rule: Rule, times?: number): AlertRule {
  const { name, forMinutes, resolveMinutes, priority, channel } = rule;
  return {
    alert: name,
    expr: expressionOf(rule, times).expr,
    for: `${forMinutes}m`,
    keep_firing_for: `${resolveMinutes}m`,
    labels: { priority, notify: channel },
    annotations: {
      summary: summaryOf(rule, (label) => `{{ $labels.${label} }}`),
      runbook_url: `${variables.parse({}).RUNBOOK_BASE_URL}/${runbookSlug(name)}.md`,
    },
  };
}

/** `render` renders the value of the rule's label. */
export function summaryOf({ summary, condition }: Rule, render: (label: string) => string): string {
  const [label] = labelOf(condition);
  return label ? summary.replace("{label}", render(label)) : summary;
}

/** The label of an alert in addition to `job`, with its name in Prometheus. */
export function labelOf(condition: Condition): string[] {
  if (condition.kind === "any") return labelOf(condition.of[0] as Condition);
  return "by" in condition && condition.by !== undefined ? [scrapedLabel(condition.by)] : [];
}
