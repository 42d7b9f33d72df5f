import type { MetricName } from "../observability/metrics.js";

/** Label matchers: regular expressions for the whole value, in the syntax shared by Postgres and RE2. */
export type LabelMatchers = Record<string, { matches: string } | { not: string }>;

/** The increase of a counter per minute. */
export interface CounterSelector {
  metric: MetricName;
  where?: LabelMatchers;
  /** Histograms only: count the observations above this bucket bound; without it all (`_count`). */
  slowerThanSeconds?: number;
}

/**
 * When a minute is bad. Counters are judged by closed minutes, gauges by the current one; integers are compared. Each value
 * of the label `by` is an alert of its own; without `by` all series are summed (for gauges the maximum is used).
 */
export type Condition =
  /** `part` is above (`>=`: at least) `percent` of `of`, and `of` is at least `countMin`. */
  | {
      kind: "ratio";
      part: CounterSelector;
      of: CounterSelector;
      compare: ">" | ">=";
      percent: number;
      countMin: number;
      windowMinutes: number;
      by?: string;
    }
  /** At least `countMin`, and more than `times` the mean of such windows in the last `meanHours`. */
  | {
      kind: "spike";
      of: CounterSelector;
      countMin: number;
      times: number;
      meanHours: number;
      windowMinutes: number;
    }
  /** The comparison holds in each of the last `inARow` minutes (default 1). */
  | {
      kind: "gauge";
      metric: MetricName;
      where?: LabelMatchers;
      compare: ">" | ">=";
      value: number;
      inARow?: number;
      by?: string;
    }
  /**
   * The gauge, a Unix time in seconds, is older than `periods` periods of its label, without the `excused` seconds.
   * `since` is used until it exists.
   */
  | {
      kind: "age";
      metric: MetricName;
      since: MetricName;
      excused: MetricName;
      by: string;
      periods: number;
      periodSeconds: Record<string, number>;
    }
  /** At least one holds; each has the same `by`. */
  | { kind: "any"; of: readonly Condition[] };

export type Priority = "P1" | "P2" | "P3";

/** `page` wakes the on-call engineer, `team` is read in working hours, `investigate` has no deadline. */
export const channels = ["page", "team", "investigate"] as const;
export type Channel = (typeof channels)[number];

export interface Rule {
  name: string;
  /** One sentence for the on-call engineer; `{label}` is replaced by the label's value. */
  summary: string;
  condition: Condition;
  /** How long the condition must hold before the alert fires: 0 is one minute, 1 is two minutes in a row. */
  forMinutes: number;
  /** How long the condition must be false before the alert is resolved, counted in the same way. */
  resolveMinutes: number;
  priority: Priority;
  /** `other`: a channel that works when the channel `{label}` does not. */
  channel: Channel | "other";
  /** The rules that inhibit this one while they fire. If both alerts have a label, the labels must be equal. */
  inhibitedBy?: readonly string[];
  /** Used for a spike of more than `times` the mean. */
  escalates?: { times: number; priority: Priority; channel: Channel };
}
