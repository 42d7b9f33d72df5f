import type { Condition, CounterSelector, LabelMatchers, Rule } from "../../lib/alerts/rule.js";
import { runbookSlug } from "../../lib/alerts/rules.js";

export interface RecordingRule {
  record: string;
  expr: string;
}

export interface Expression {
  records: RecordingRule[];
  expr: string;
}

/** Sums are per scrape job, so that staging does not hide production. */
const jobLabel = "job";

/** Prometheus renames our label `job`, because it has its own. */
export function scrapedLabel(label: string): string {
  return label === jobLabel ? `exported_${label}` : label;
}

/** Whether there was a scrape. Without one before a window, every count would look new. */
export const scraped: RecordingRule = {
  record: "linguamate:scraped",
  expr: `count by (${jobLabel}) (telemetry_events_total)`,
};

/** A rule's condition in PromQL. `times` replaces the factor of a spike, for its escalation. */
export function expressionOf({ name, condition }: Rule, times?: number): Expression {
  const records: RecordingRule[] = [];
  const counted: CountedAs = (as, of, minutes, by) => {
    const total = `${runbookSlug(name).replaceAll("-", "_")}:${as}`;
    const added = `${total}:added${minutes}m`;
    records.push(
      { record: total, expr: totalOf(of, by) },
      { record: added, expr: addedTo(total, minutes) },
    );
    return added;
  };
  return { expr: expression(condition, counted, times), records };
}

/** Adds recording rules and returns the name of the count. */
type CountedAs = (as: string, of: CounterSelector, minutes: number, by?: string) => string;

type Of<Kind> = Extract<Condition, { kind: Kind }>;

function expression(condition: Condition, counted: CountedAs, times?: number): string {
  switch (condition.kind) {
    case "ratio":
      return ratio(condition, counted);
    case "spike":
      return spike({ ...condition, times: times ?? condition.times }, counted);
    case "gauge":
      return gauge(condition);
    case "age":
      return Object.entries(condition.periodSeconds)
        .map(([value, seconds]) => age(condition, value, condition.periods * seconds))
        .join("\nor\n");
    case "any":
      return condition.of.map((one) => expression(one, counted)).join("\nor\n");
  }
}

function ratio(condition: Of<"ratio">, counted: CountedAs): string {
  const { compare, percent, countMin, windowMinutes, by } = condition;
  const part = counted("part", condition.part, windowMinutes, by);
  const of = counted("of", condition.of, windowMinutes, by);
  return `(100 * ${part} ${compare} ${percent} * ${of} and ${of} >= ${countMin})`;
}

function spike({ of, countMin, times, meanHours, windowMinutes }: Of<"spike">, counted: CountedAs) {
  const now = counted("of", of, windowMinutes);
  const windows = (meanHours * 60) / windowMinutes;
  const before = `sum by (${jobLabel}) (increase(${series(of)}[${meanHours}h]))`;
  return `(${windows} * ${now} > ${times} * ${before} and ${now} >= ${countMin})`;
}

function gauge({ metric, where, compare, value, inARow = 1, by }: Of<"gauge">): string {
  const highest = `max by (${labels(by)}) (${metric}${matchers(where)})`;
  if (inARow === 1) return `${highest} ${compare} ${value}`;
  // 1 s less than the minutes: the same number of steps whether the range includes its start or not.
  const range = `${highest}[${inARow * 60 - 1}s:1m]`;
  return `(min_over_time(${range}) ${compare} ${value} and count_over_time(${range}) >= ${inARow})`;
}

function age(rule: Of<"age">, value: string, seconds: number): string {
  const { metric, since, excused, by } = rule;
  const last = (gauge: string) =>
    `max by (${labels(by)}) (${gauge}{${scrapedLabel(by)}="${value}"})`;
  const start = `(${last(metric)} or ${last(since)})`;
  return `time() - ${start} - (${last(excused)} or 0 * ${start}) > ${seconds}`;
}

function totalOf(of: CounterSelector, by: string | undefined): string {
  const sum = (what: string) => `sum by (${labels(by)}) (${what})`;
  if (of.slowerThanSeconds === undefined) return sum(series(of));
  const fast = `${of.metric}_bucket${matchers(of.where, `le="${of.slowerThanSeconds}"`)}`;
  return `${sum(series(of))} - ${sum(fast)}`;
}

/** Totals never restart, so the difference is exact. Unlike `increase`, it counts a new series from 0. */
function addedTo(total: string, minutes: number): string {
  return `(${total} - (${total} offset ${minutes}m or 0 * ${total})) and on (${jobLabel}) ${scraped.record} offset ${minutes}m`;
}

function series({ metric, where }: CounterSelector): string {
  const suffix = metric.endsWith("_seconds") ? "_count" : "";
  return `${metric}${suffix}${matchers(where)}`;
}

function labels(by: string | undefined): string {
  return by === undefined ? jobLabel : `${jobLabel}, ${scrapedLabel(by)}`;
}

/** In braces, or empty without any; `more` is a matcher in PromQL. */
export function matchers(where: LabelMatchers = {}, more?: string): string {
  const each = Object.entries(where).map(([label, value]) => {
    const [operator, pattern] = "not" in value ? ["!~", value.not] : ["=~", value.matches];
    return `${scrapedLabel(label)}${operator}"${pattern}"`;
  });
  const all = [...each, ...(more ? [more] : [])].join(",");
  return all && `{${all}}`;
}
