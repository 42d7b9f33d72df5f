import { stringify } from "yaml";
import { labelOf, summaryOf } from "../../dev/prometheus/alert-file.js";
import { countedId, type Measures, minuteMs } from "../../lib/alerts/measures.js";
import type { Condition, Counted, Rule, Where } from "../../lib/alerts/rule.js";
import { runbookSlug } from "../../lib/alerts/rules.js";
import { type Alert, step } from "../../lib/alerts/state-machine.js";
import { isCounted, meanId, verdict } from "../../lib/alerts/verdict.js";
import { variables } from "../../lib/env.js";
import { parseSeries } from "../../lib/telemetry/series.js";

/** What happens in the minutes from 0 on, under the names of `seriesName`. */
export interface Scenario {
  name: string;
  rule: Rule;
  /** What each minute adds to a counter. */
  added?: Record<string, number[]>;
  /** What a gauge is in each minute; null where nobody measured it. */
  gauges?: Record<string, (number | null)[]>;
  /** The label's value, where the rule has one. */
  label?: string;
  minutes: number;
}

const job = "linguamate";

/** Whether our evaluator has the alert fire, after each minute. */
export function firesInOurs({ rule, label = "", minutes, ...data }: Scenario): boolean[] {
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
    // Where gauges and counters decide, a counted minute is known one later.
    const isMixed = !isCounted(rule.condition) && data.added !== undefined;
    const at = isMixed ? minute + minuteMs : minute;
    const seen = { ...measures, countedUntil: minute };
    alert = step(rule, alert, at, verdict(rule.condition, label, at, seen)).alert;
    return alert.state === "firing";
  });
}

/** The same as a file for `promtool test rules`, which expects what ours did from `from` on. */
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

/** A spike that escalates is two alerts of a Prometheus: such scenarios stay below. */
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

/** As a Prometheus stores it: with its own `job`, ours renamed. */
function scraped(series: string): string {
  const { metric, labels } = parseSeries(series);
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
    means: new Map(),
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
      measures.means.set(
        meanId(part),
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

/** What each minute added to what is counted, by label. */
function sums(
  counted: Counted,
  by: string | undefined,
  added: Record<string, number[]>,
  minutes: number,
): Map<number, Map<string, number>> {
  const found = new Map<number, Map<string, number>>();
  for (const [series, values] of Object.entries(added)) {
    const { metric, labels } = parseSeries(series);
    const sign = signOf(counted, metric, labels);
    if (sign === 0 || !fits(counted.where, labels)) continue;
    const label = by === undefined ? "" : (labels[by] ?? "");
    for (let index = 0; index < minutes; index += 1) {
      const minute = found.get(index * minuteMs) ?? new Map<string, number>();
      minute.set(label, (minute.get(label) ?? 0) + sign * (values[index] ?? 0));
      found.set(index * minuteMs, minute);
    }
  }
  return found;
}

function signOf(counted: Counted, metric: string, labels: Record<string, string>): number {
  const { slowerThanSeconds } = counted;
  if (metric === counted.metric || metric === `${counted.metric}_count`) return 1;
  const isFast = metric === `${counted.metric}_bucket` && labels.le === String(slowerThanSeconds);
  return isFast ? -1 : 0;
}

function fits(where: Where = {}, labels: Record<string, string>): boolean {
  return Object.entries(where).every(([label, match]) => {
    const value = labels[label] ?? "";
    return "matches" in match
      ? new RegExp(`^(?:${match.matches})$`).test(value)
      : !new RegExp(`^(?:${match.not})$`).test(value);
  });
}
