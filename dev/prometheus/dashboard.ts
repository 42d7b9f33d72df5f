import type { Condition, Rule } from "../../lib/alerts/rule.js";
import { rules } from "../../lib/alerts/rules.js";
import { labelOf } from "./alert-file.js";
import { expressionOf, matchers, scrapedLabel } from "./expression.js";

interface Drawing {
  expr: string;
  legend: string;
  unit: string;
  threshold: number;
}

/** docs/prometheus/dashboard.json: a Grafana dashboard with an overview and a panel per rule. */
export function dashboardFile(): string {
  const panels = [...overview, ...(rules as readonly Rule[]).map(rulePanel)].map(placed);
  const dashboard = {
    uid: "linguamate-backend",
    title: "Linguamate backend",
    schemaVersion: 39,
    refresh: "1m",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus" },
        {
          name: "job",
          type: "query",
          datasource,
          query: { query: "label_values(telemetry_events_total, job)", refId: "job" },
          refresh: 1,
        },
      ],
    },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

const datasource = { type: "prometheus", uid: "$" + "{datasource}" };
const ofJob = 'job="$job"';
const quantile = (share: number) =>
  `histogram_quantile(${share}, sum by (le) (rate(http_request_duration_seconds_bucket{${ofJob}}[5m])))`;

const overview = [
  panel("Requests a second, by status", "reqps", [
    [`sum by (status) (rate(http_requests_total{${ofJob}}[5m]))`, "{{status}}"],
  ]),
  panel("How long requests take: P50, P95, P99", "s", [
    [quantile(0.5), "P50"],
    [quantile(0.95), "P95"],
    [quantile(0.99), "P99"],
  ]),
  panel("Errors, by code", "short", [
    [`sum by (code) (increase(http_errors_total{${ofJob}}[5m]))`, "{{code}}"],
  ]),
  panel("Refused by a limit", "short", [
    [`sum by (policy) (increase(rate_limit_hits_total{${ofJob}}[5m]))`, "{{policy}}"],
  ]),
  panel("Live sessions", "short", [[`active_sessions{${ofJob}}`, "sessions"]]),
  panel("Alerts that fire", "short", [
    [`sum by (alertname) (ALERTS{${ofJob},alertstate="firing"})`, "{{alertname}}"],
  ]),
];

function rulePanel(rule: Rule) {
  const drawings = drawingsOf(rule, rule.condition);
  const [first] = drawings;
  const targets = drawings.map(({ expr, legend }): [string, string] => [expr, legend]);
  return panel(
    `${rule.name} (${rule.priority})`,
    first?.unit ?? "short",
    targets,
    first?.threshold,
  );
}

function drawingsOf(rule: Rule, condition: Condition): Drawing[] {
  const [label] = labelOf(rule.condition);
  const legend = label ? `{{${label}}}` : rule.name;
  switch (condition.kind) {
    case "any":
      return condition.of.flatMap((one) => drawingsOf(rule, one));
    case "ratio": {
      const [part, of] = recorded(rule);
      const expr = `100 * ${part}{${ofJob}} / ${of}{${ofJob}}`;
      return [{ expr, legend, unit: "percent", threshold: condition.percent }];
    }
    case "spike": {
      const [of] = recorded(rule);
      return [{ expr: `${of}{${ofJob}}`, legend, unit: "short", threshold: condition.countMin }];
    }
    case "gauge": {
      const expr = `${condition.metric}${matchers(condition.where, ofJob)}`;
      return [{ expr, legend, unit: "short", threshold: condition.value }];
    }
    case "age": {
      const expr = `time() - ${condition.metric}{${ofJob}}`;
      const threshold = condition.periods * Math.min(...Object.values(condition.periodSeconds));
      return [{ expr, legend: `{{${scrapedLabel(condition.by)}}}`, unit: "s", threshold }];
    }
  }
}

/** The recording rules with the counts of the rule's window. */
function recorded(rule: Rule): string[] {
  const { records } = expressionOf(rule);
  return records.flatMap(({ record }) => (record.includes(":added") ? [record] : []));
}

type Panel = ReturnType<typeof panel>;

function panel(title: string, unit: string, targets: [string, string][], threshold?: number) {
  const steps = [
    { color: "green", value: null },
    ...(threshold === undefined ? [] : [{ color: "red", value: threshold }]),
  ];
  return {
    type: "timeseries",
    title,
    datasource,
    targets: targets.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      expr,
      legendFormat,
    })),
    fieldConfig: {
      defaults: {
        unit,
        thresholds: { mode: "absolute", steps },
        custom: { thresholdsStyle: { mode: threshold === undefined ? "off" : "line" } },
      },
      overrides: [],
    },
  };
}

function placed(each: Panel, index: number) {
  return {
    id: index + 1,
    ...each,
    gridPos: { x: (index % 2) * 12, y: Math.floor(index / 2) * 8, w: 12, h: 8 },
  };
}
