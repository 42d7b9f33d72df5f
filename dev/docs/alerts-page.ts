import { markdownTable } from "markdown-table";
import type { Condition, CounterSelector, LabelMatchers, Rule } from "../../lib/alerts/rule.js";
import { rules, runbookSlug } from "../../lib/alerts/rules.js";

/** docs/alerts.md: the conditions of the alerts in words. */
export function alertsPage(): string {
  const rows = rules.map((rule: Rule) => [
    `[${rule.name}](runbooks/${runbookSlug(rule.name)}.md)`,
    rule.summary.replace("{label}", "…"),
    inWords(rule.condition),
    `${rule.forMinutes} min`,
    `${rule.priority} ${rule.channel}${escalation(rule)}`,
    `${rule.resolveMinutes} min`,
    (rule.inhibitedBy ?? []).join(", "),
  ]);
  const head = [
    "alert",
    "summary",
    "condition",
    "for",
    "notifies",
    "resolves after",
    "inhibited by",
  ];
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  return `# Alerts

Generated from \`lib/alerts/rules.ts\` by \`npm run docs:write\`. Only complete minutes count, and values are compared as
whole numbers. A minute without data is unknown, not zero. \`page\` calls the person on duty (\`PAGERDUTY_ROUTING_KEY\`), \`team\` is
\`ALERT_WEBHOOK_URL\`, \`investigate\` is \`ALERT_INVESTIGATE_WEBHOOK_URL\`. \`npm run ops -- alerts test RULE\` sends a test notice.

${markdownTable(cells)}
`;
}

function escalation({ escalates }: Rule): string {
  if (!escalates) return "";
  return `; ${escalates.priority} ${escalates.channel} at ${escalates.times} times the mean`;
}

function inWords(condition: Condition): string {
  switch (condition.kind) {
    case "ratio": {
      const { part, of, compare, percent, countMin, windowMinutes, by } = condition;
      const each = by ? `, for each ${by}` : "";
      const bound = compare === ">" ? `over ${percent} %` : `${percent} % or more`;
      return `${bound} of at least ${countMin} ${named(of)} are ${named(part, of.where)} in ${windowMinutes} min${each}`;
    }
    case "spike": {
      const { of, countMin, times, meanHours, windowMinutes } = condition;
      return `at least ${countMin} ${named(of)} in ${windowMinutes} min, and over ${times} times the mean of ${meanHours} h`;
    }
    case "gauge": {
      const { compare, value, inARow = 1, by } = condition;
      const often = inARow > 1 ? ` ${inARow} times in a row` : "";
      return `${named(condition)} ${compare} ${value}${often}${by ? `, for each ${by}` : ""}`;
    }
    case "age":
      return `\`${condition.metric}\` (\`${condition.since}\` if missing) is over ${condition.periods} periods old, without \`${condition.excused}\`, for each ${condition.by}`;
    case "any":
      return condition.of.map(inWords).join("; or ");
  }
}

/** Without the conditions in `known`, which the sentence already contains. */
function named(
  { metric, where = {}, slowerThanSeconds }: CounterSelector,
  known: LabelMatchers = {},
): string {
  const narrowed = Object.entries(where)
    .filter(([label, match]) => known[label] !== match)
    .map(([label, match]) =>
      "matches" in match ? `${label} ${match.matches}` : `${label} not ${match.not}`,
    );
  const slower = slowerThanSeconds === undefined ? [] : [`slower than ${slowerThanSeconds} s`];
  const only = [...narrowed, ...slower].join(", ");
  return `\`${metric}\`${only && ` (${only})`}`;
}
