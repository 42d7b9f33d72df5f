import { stringify } from "yaml";
import { labelOf, summaryOf } from "../../dev/prometheus/alert-file.js";
import { countedId, type Measures, minuteMs } from "../../lib/alerts/measures.js";
import type { Condition, CounterSelector, LabelMatchers, Rule } from "../../lib/alerts/rule.js";
import { runbookSlug } from "../../lib/alerts/rules.js";
import { type Alert, advanceAlert } from "../../lib/alerts/state-machine.js";
import { isCounterCondition, spikeTotalId, verdict } from "../../lib/alerts/verdict.js";
import { variables } from "../../lib/env-variables.js";
import { parseSeriesName } from "../../lib/telemetry/series.js";

/** Counters and gauges of the minutes from 0 on, by series name. */
export interface Scenario {
  name: string;
  rule: Rule;
  /** The increase of each counter in each minute. */
  added?: Record<string, number[]>;
  /** The value of each gauge in each minute; null where it was not measured. */
  gauges?: Record<string, (number | null)[]>;
  /** The value of the rule's label, if it has one. */
  label?: string;
  minutes: number;
}

const job = "linguamate";

/** Whether the alert fires in our evaluator, after each minute. */
export function firesInEvaluator({ rule, label = "", minutes, ...data }: Scenario): boolean[] {
  const measures = measuresOf(rule.condition, { minutes, ...data });
  let alert: Alert = {
    key: "key",
    rule: rule.name,
    label,
    state: "inactive",
    badMinutes: 0,
    goodMinutes: 0,
    knownMinute: 0,
    since: 0,
    notifiedAs: null,
    detail: "",
  };
  return Array.from({ length: minutes }, (_, index) => {
    const minute = index * minuteMs;
    // For a rule of gauges and counters, a counted minute is known one minute later.
    const isMixed = !isCounterCondition(rule.condition) && data.added !== undefined;
    const at = isMixed ? minute + minuteMs : minute;
    const seen = { ...measures, countedUntil: minute };
    alert = advanceAlert(rule, alert, at, verdict(rule.condition, label, at, seen)).alert;
    return alert.state === "firing";
  });
}

/** The scenarios as a file for `promtool test rules`, which expects `fires` from minute `from` on. */
export function promtoolTests(
  scenarios: { scenario: Scenario; fires: boolean[]; from: number }[],
): string {
  return stringify({
    rule_files: ["alerts.yml"],
    evaluation_interval: "1m",
    tests: scenarios.map(({ scenario, fires, from }) => ({
      name: scenario.name,
      interval: "1m",
      input_series: inputOf(scenario),
      alert_rule_test: fires.flatMap((isFiring, minute) =>
        minute < from
          ? []
          : [
              {
                eval_time: `${minute}m`,
                alertname: scenario.rule.name,
                exp_alerts: isFiring ? expectedAlerts(scenario) : [],
              },
            ],
      ),
    })),
  });
}

/** Scenarios stay below the escalation of a spike, because it makes two alerts in Prometheus. */
function expectedAlerts({ rule, label }: Scenario) {
  const [name] = labelOf(rule.condition);
  return [
    {
      exp_labels: {
        job,
        ...(name && { [name]: label }),
        priority: rule.priority,
        notify: rule.channel,
      },
      exp_annotations: {
        summary: summaryOf(rule, () => label ?? ""),
        runbook_url: `${variables.parse({}).RUNBOOK_BASE_URL}/${runbookSlug(rule.name)}.md`,
      },
    },
  ];
}

function inputOf({ added = {}, gauges = {}, minutes }: Scenario) {
  const totals = Object.entries(added).map(([series, each]) => {
    let total = 0;
    const values = each.map((value) => {
      total += value;
      return total;
    });
    return { series: scraped(series), values: values.join(" ") };
  });
  const values = Object.entries(gauges).map(([series, each]) => ({
    series: scraped(series),
    values: each.map((value) => value ?? "stale").join(" "),
  }));
  const always = { series: scraped("telemetry_events_total"), values: `0x${minutes}` };
  return [...totals, ...values, always];
}

/** As Prometheus stores a series: with its own `job` label, and ours renamed. */
function scraped(series: string): string {
  const { metric, labels } = parseSeriesName(series);
  const renamed = Object.entries(labels).map(
    ([label, value]) => `${label === "job" ? "exported_job" : label}="${value}"`,
  );
  return `${metric}{${[...renamed, `job="${job}"`].join(",")}}`;
}

function measuresOf(
  condition: Condition,
  { added = {}, gauges = {}, minutes }: Pick<Scenario, "added" | "gauges" | "minutes">,
): Measures {
  const times = Array.from({ length: minutes }, (_, index) => index * minuteMs);
  const measures: Measures = {
    countedMinutes: new Set(Object.keys(added).length > 0 ? times : []),
    countedUntil: 0,
    counts: new Map(),
    spikeTotals: new Map(),
    samples: new Map(
      times.map((minute, index) => [
        minute,
        Object.entries(gauges).flatMap(([series, values]) => {
          const value = values[index] ?? null;
          return value === null ? [] : [{ series, value }];
        }),
      ]),
    ),
  };
  for (const part of condition.kind === "any" ? condition.of : [condition]) {
    if (part.kind === "ratio") {
      for (const counted of [part.part, part.of]) {
        measures.counts.set(countedId(counted, part.by), sums(counted, part.by, added, minutes));
      }
    }
    if (part.kind === "spike") {
      const sum = sums(part.of, undefined, added, minutes);
      measures.counts.set(countedId(part.of), sum);
      const range = part.meanHours * 60;
      const each = times.map((minute) => sum.get(minute)?.get("") ?? 0);
      measures.spikeTotals.set(
        spikeTotalId(part),
        new Map(
          times.map((minute, index) => {
            const before = each.slice(Math.max(0, index - range + 1), index + 1);
            return [minute, before.reduce((total, value) => total + value, 0)];
          }),
        ),
      );
    }
  }
  return measures;
}

/** The increase of a count in each minute, by label. */
function sums(
  counted: CounterSelector,
  by: string | undefined,
  added: Record<string, number[]>,
  minutes: number,
): Map<number, Map<string, number>> {
  const found = new Map<number, Map<string, number>>();
  for (const [series, values] of Object.entries(added)) {
    const { metric, labels } = parseSeriesName(series);
    const sign = signOf(counted, metric, labels);
    if (sign === 0 || !matches(counted.where, labels)) continue;
    const label = by === undefined ? "" : (labels[by] ?? "");
    for (let index = 0; index < minutes; index += 1) {
      const minute = found.get(index * minuteMs) ?? new Map<string, number>();
      minute.set(label, (minute.get(label) ?? 0) + sign * (values[index] ?? 0));
      found.set(index * minuteMs, minute);
    }
  }
  return found;
}

function signOf(counted: CounterSelector, metric: string, labels: Record<string, string>): number {
  const { slowerThanSeconds } = counted;
  if (metric === counted.metric || metric === `${counted.metric}_count`) return 1;
  const isFast = metric === `${counted.metric}_bucket` && labels.le === String(slowerThanSeconds);
  return isFast ? -1 : 0;
}

function matches(where: LabelMatchers = {}, labels: Record<string, string>): boolean {
  return Object.entries(where).every(([label, match]) => {
    const value = labels[label] ?? "";
    return "matches" in match
      ? new RegExp(`^(?:${match.matches})$`).test(value)
      : !new RegExp(`^(?:${match.not})$`).test(value);
  });
}
