import { gaugesOf, type Measures, minuteMs, sumOf } from "./measures.js";
import type { Condition } from "./rule.js";

/** The judgement of one minute; `detail` is the measurement, as text. */
export interface Verdict {
  is: "bad" | "good" | "unknown";
  detail: string;
  /** Spikes only: the count is more than this many times the mean. */
  times?: number;
}

const unknown: Verdict = { is: "unknown", detail: "no data" };

/** Judge a condition for one minute and label. A ratio over its threshold with fewer than `countMin` is unknown. */
export function verdict(
  condition: Condition,
  label: string,
  minute: number,
  measures: Measures,
): Verdict {
  switch (condition.kind) {
    case "ratio":
      return ratio(condition, label, minute, measures);
    case "spike":
      return spike(condition, minute, measures);
    case "gauge":
      return gauge(condition, label, minute, measures);
    case "age":
      return age(condition, label, minute, measures);
    case "any": {
      const at = (part: Condition) =>
        isCounterCondition(part) ? closedBefore(minute, measures) : minute;
      const found = condition.of.map((part) => verdict(part, label, at(part), measures));
      const known = found.filter(({ is }) => is !== "unknown");
      return known.find(({ is }) => is === "bad") ?? known[0] ?? found[0] ?? unknown;
    }
  }
}

/** True if every part counts events: then closed minutes are judged. */
export function isCounterCondition(condition: Condition): boolean {
  if (condition.kind === "any") return condition.of.every(isCounterCondition);
  return condition.kind === "ratio" || condition.kind === "spike";
}

/** The last closed minute before this one; NaN when that is too long ago. */
function closedBefore(minute: number, { countedUntil }: Measures): number {
  const newest = Math.min(minute - minuteMs, countedUntil);
  return minute - newest > lateMsMax ? Number.NaN : newest;
}

const lateMsMax = 5 * minuteMs;

type Of<K> = Condition & { kind: K };

function ratio(rule: Of<"ratio">, label: string, minute: number, measures: Measures): Verdict {
  if (!measures.countedMinutes.has(minute)) return unknown;
  const { part, of, by, windowMinutes, percent, compare, countMin } = rule;
  const window = { until: minute, minutes: windowMinutes };
  const partCount = sumOf(measures, { counted: part, by, label }, window);
  const ofCount = sumOf(measures, { counted: of, by, label }, window);
  const isOver =
    partCount > 0 &&
    (compare === ">" ? partCount * 100 > ofCount * percent : partCount * 100 >= ofCount * percent);
  const detail = `${partCount} of ${ofCount} in ${windowMinutes} min`;
  if (!isOver) return { is: "good", detail };
  return ofCount >= countMin ? { is: "bad", detail } : { is: "unknown", detail };
}

function spike(rule: Of<"spike">, minute: number, measures: Measures): Verdict {
  if (!measures.countedMinutes.has(minute)) return unknown;
  const { of, windowMinutes, meanHours, countMin, times } = rule;
  const label = "";
  const count = sumOf(measures, { counted: of, label }, { until: minute, minutes: windowMinutes });
  const total = measures.spikeTotals.get(spikeTotalId(rule))?.get(minute) ?? 0;
  const windows = (meanHours * 60) / windowMinutes;
  // Without division: count > times × total / windows.
  const isOver = count * windows > times * total;
  const timesMean = total === 0 ? 0 : Math.ceil((count * windows) / total) - 1;
  const detail = `${count} in ${windowMinutes} min, ${total} in ${meanHours} h`;
  return { is: count >= countMin && isOver ? "bad" : "good", detail, times: timesMean };
}

export const spikeTotalId = ({ of, meanHours }: Of<"spike">) => JSON.stringify([of, meanHours]);

function gauge(rule: Of<"gauge">, label: string, minute: number, measures: Measures): Verdict {
  const { compare, value: limit, inARow = 1, metric } = rule;
  const isOver = (value: number) => (compare === ">" ? value > limit : value >= limit);
  const highest = (at: number) => {
    const values = gaugesOf(measures, rule, at).filter((found) => found.label === label);
    return values.length === 0 ? null : Math.max(...values.map(({ value }) => value));
  };
  const now = highest(minute);
  if (now === null) return unknown;
  const detail = `${metric} is ${now}`;
  if (!isOver(now)) return { is: "good", detail };
  for (let at = 1; at < inARow; at += 1) {
    const before = highest(minute - at * minuteMs);
    if (before === null || !isOver(before)) return { is: "unknown", detail };
  }
  return { is: "bad", detail };
}

function age(rule: Of<"age">, label: string, minute: number, measures: Measures): Verdict {
  const period = rule.periodSeconds[label];
  const { metric, since, excused, by } = rule;
  const gaugeValue = (gauge: typeof metric) =>
    gaugesOf(measures, { metric: gauge, by }, minute).find((each) => each.label === label)?.value;
  const last = gaugeValue(metric);
  const from = last ?? gaugeValue(since);
  if (period === undefined || from === undefined) return unknown;
  const seconds = Math.max(0, minute / 1000 - from);
  const excusedSeconds = gaugeValue(excused) ?? 0;
  const isOver = seconds - excusedSeconds > rule.periods * period;
  const without =
    excusedSeconds > 0 ? `, ${excusedSeconds} s of them without Postgres or Redis` : "";
  const detail =
    last === undefined
      ? `no success in ${seconds} s, counted from the first call of any cron job${without}`
      : `the last success is ${seconds} s old${without}`;
  return { is: isOver ? "bad" : "good", detail };
}
