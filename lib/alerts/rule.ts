import type { MetricName } from "../observability/metrics.js";

/** Labels that a series must have: whole values, as regular expressions that Postgres and RE2 share. */
export type Where = Record<string, { matches: string } | { not: string }>;

/** What a minute, or a range of them, adds to the counters of a metric. */
export interface Counted {
  metric: MetricName;
  where?: Where;
  /** Of a histogram: only what took longer than this bound of its buckets; else its `_count`. */
  slowerThanSeconds?: number;
}

/**
 * What is wrong. Minutes are closed ones, and whole numbers are compared. `by` is the label whose every
 * value is an alert of its own; without it all series are summed (gauges: the highest counts).
 */
export type Condition =
  /** `part` is over (or at least) so many percent of `of`, where `of` is at least `countMin`. */
  | {
      kind: "ratio";
      part: Counted;
      of: Counted;
      compare: ">" | ">=";
      percent: number;
      countMin: number;
      windowMinutes: number;
      by?: string;
    }
  /** At least `countMin`, and over `times` the mean of such windows in the last `meanHours`. */
  | {
      kind: "spike";
      of: Counted;
      countMin: number;
      times: number;
      meanHours: number;
      windowMinutes: number;
    }
  /** The gauge compared so in each of the last `inARow` minutes (1 where it is left out). */
  | {
      kind: "gauge";
      metric: MetricName;
      where?: Where;
      compare: ">" | ">=";
      value: number;
      inARow?: number;
      by?: string;
    }
  /**
   * The gauge is a moment in seconds, and further back than `periods` of the period of its `by`. `since`
   * is the gauge that stands in for it as long as nobody has written it.
   */
  | {
      kind: "age";
      metric: MetricName;
      since: MetricName;
      by: string;
      periods: number;
      periodSeconds: Record<string, number>;
    }
  /** One of these, each by the same label. */
  | { kind: "any"; of: readonly Condition[] };

export type Priority = "P1" | "P2" | "P3";

/** `page` wakes somebody, `team` is read by day, `investigate` when there is time. */
export type Channel = "page" | "team" | "investigate";

export interface Rule {
  name: string;
  /** One sentence for whoever is called; `{label}` is the label's value. */
  summary: string;
  condition: Condition;
  /** How long it must hold, from the first minute to the last: 0 is one minute, 1 is two in a row. */
  forMinutes: number;
  /** How long it must be well again, counted alike. */
  resolveMinutes: number;
  priority: Priority;
  /** `other`: whichever way works when the one that `{label}` names does not. */
  channel: Channel | "other";
  /** The rules that make this one silent while they fire. Where both have a label, it must be equal. */
  inhibitedBy?: readonly string[];
  /** A spike of so many times the mean is more urgent. */
  escalates?: { times: number; priority: Priority; channel: Channel };
}
