import { parseSeriesName } from "../telemetry/series.js";
import type { Condition, CounterSelector, Rule } from "./rule.js";

export const minuteMs = 60_000;

export interface Sample {
  series: string;
  value: number;
}

/** Minutes are in ms. */
export interface Measures {
  /** Closed minutes with data. */
  countedMinutes: ReadonlySet<number>;
  /** The last closed minute. */
  countedUntil: number;
  /** By `countedId`, minute and label: the increase; a missing value is 0 when the minute has data. */
  counts: Map<string, Map<number, Map<string, number>>>;
  /** By `spikeTotalId` and minute: the increase in the `meanHours` up to it. */
  spikeTotals: Map<string, Map<number, number>>;
  samples: Map<number, Sample[]>;
}

export const countedId = (counted: CounterSelector, by = "") => JSON.stringify([counted, by]);

/** The increase in so many minutes, of which `until` is the last. */
export function sumOf(
  measures: Measures,
  { counted, by, label }: { counted: CounterSelector; by?: string | undefined; label: string },
  { until, minutes }: { until: number; minutes: number },
): number {
  const byMinute = measures.counts.get(countedId(counted, by));
  let sum = 0;
  for (let at = 0; at < minutes; at += 1) {
    sum += byMinute?.get(until - at * minuteMs)?.get(label) ?? 0;
  }
  return sum;
}

export function gaugesOf(
  measures: Measures,
  { metric, where = {}, by }: Pick<Condition & { kind: "gauge" }, "metric" | "where" | "by">,
  minute: number,
): { label: string; value: number }[] {
  const found: { label: string; value: number }[] = [];
  for (const { series, value } of measures.samples.get(minute) ?? []) {
    const parsed = parseSeriesName(series);
    const fits =
      parsed.metric === metric &&
      Object.entries(where).every(([name, match]) => {
        const text = parsed.labels[name] ?? "";
        return "matches" in match
          ? new RegExp(`^(?:${match.matches})$`).test(text)
          : !new RegExp(`^(?:${match.not})$`).test(text);
      });
    if (fits) found.push({ label: by === undefined ? "" : (parsed.labels[by] ?? ""), value });
  }
  return found;
}

/** The labels with data, and `""` for a part without `by`. Existing alerts may have more. */
export function labelsOf({ condition }: Pick<Rule, "condition">, measures: Measures): Set<string> {
  const labels = new Set<string>();
  for (const part of partsOf(condition)) {
    if (!("by" in part) || part.by === undefined) {
      labels.add("");
      continue;
    }
    if (part.kind === "ratio") {
      for (const byLabel of measures.counts.get(countedId(part.of, part.by))?.values() ?? []) {
        for (const label of byLabel.keys()) labels.add(label);
      }
    } else {
      const gauges = part.kind === "age" ? [part, { ...part, metric: part.since }] : [part];
      for (const minute of measures.samples.keys()) {
        for (const gauge of gauges) {
          for (const { label } of gaugesOf(measures, gauge, minute)) labels.add(label);
        }
      }
    }
  }
  return labels;
}

type Part = Exclude<Condition, { kind: "any" }>;

export function partsOf(condition: Condition): Part[] {
  return condition.kind === "any" ? condition.of.flatMap(partsOf) : [condition];
}
