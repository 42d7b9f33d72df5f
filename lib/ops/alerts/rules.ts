import type { MetricName } from "../../observability/metrics.js";

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
  /** The gauge is a moment in seconds, and further back than `periods` of the period of its `by`. */
  | {
      kind: "age";
      metric: MetricName;
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

/** Probes ask often and are no learners: they must neither hide an outage nor be one. */
const learners: Where = { route: { not: "/api/(health|livez|metrics)" } };
const requests: Counted = { metric: "http_requests_total", where: learners };
const serverErrors: Counted = {
  metric: "http_requests_total",
  where: { ...learners, status: { matches: "5.." } },
};
const timed: Counted = { metric: "http_request_duration_seconds", where: learners };
const slowerThan = (seconds: number): Counted => ({ ...timed, slowerThanSeconds: seconds });
const probe = (names: string): Where => ({ probe: { matches: names } });

/**
 * Every alert. The evaluator, the rules for Prometheus and docs/alerts.md are made from this table; the
 * runbook of each is docs/runbooks/<name in kebab case>.md.
 */
export const rules = [
  {
    name: "ErrorRateCritical",
    summary: "Over 5 % of requests fail with 5xx",
    condition: {
      kind: "ratio",
      part: serverErrors,
      of: requests,
      compare: ">",
      percent: 5,
      countMin: 20,
      windowMinutes: 5,
    },
    forMinutes: 2,
    resolveMinutes: 5,
    priority: "P1",
    channel: "page",
  },
  {
    name: "LatencyP95Critical",
    summary: "The P95 of requests is over 2 s",
    condition: {
      kind: "ratio",
      part: slowerThan(2),
      of: timed,
      compare: ">",
      percent: 5,
      countMin: 20,
      windowMinutes: 5,
    },
    forMinutes: 5,
    resolveMinutes: 5,
    priority: "P2",
    channel: "team",
  },
  {
    name: "HealthCheckFailing",
    summary: "The health check of {label} fails",
    condition: {
      kind: "gauge",
      metric: "probe_failed",
      where: probe("postgres|redis|self"),
      compare: ">=",
      value: 1,
      by: "probe",
    },
    forMinutes: 1,
    resolveMinutes: 1,
    priority: "P1",
    channel: "page",
    inhibitedBy: ["RedisDown"],
  },
  {
    name: "RedisDown",
    summary: "Redis does not answer",
    condition: {
      kind: "gauge",
      metric: "probe_failed",
      where: probe("redis"),
      compare: ">=",
      value: 1,
      by: "probe",
    },
    forMinutes: 1,
    resolveMinutes: 1,
    priority: "P1",
    channel: "page",
  },
  {
    name: "RateLimitNearMax",
    summary: "Callers use over 80 % of the limit {label}",
    condition: {
      kind: "ratio",
      part: { metric: "rate_limit_near_max_total" },
      of: { metric: "rate_limit_calls_total" },
      compare: ">=",
      percent: 5,
      countMin: 100,
      windowMinutes: 5,
      by: "policy",
    },
    forMinutes: 5,
    resolveMinutes: 10,
    priority: "P3",
    channel: "investigate",
  },
  {
    name: "ExternalApiDown",
    summary: "The service {label} fails",
    condition: {
      kind: "any",
      of: [
        {
          kind: "ratio",
          part: { metric: "external_api_calls_total", where: { outcome: { not: "ok" } } },
          of: { metric: "external_api_calls_total" },
          compare: ">=",
          percent: 50,
          countMin: 5,
          windowMinutes: 5,
          by: "service",
        },
        { kind: "gauge", metric: "circuit_breaker_state", compare: ">=", value: 2, by: "service" },
        {
          kind: "gauge",
          metric: "external_probe_failed",
          compare: ">=",
          value: 1,
          inARow: 3,
          by: "service",
        },
      ],
    },
    forMinutes: 1,
    resolveMinutes: 5,
    priority: "P2",
    channel: "team",
  },
  {
    name: "ErrorRateWarning",
    summary: "Over 1 % of requests fail with 5xx",
    condition: {
      kind: "ratio",
      part: serverErrors,
      of: requests,
      compare: ">",
      percent: 1,
      countMin: 100,
      windowMinutes: 5,
    },
    forMinutes: 5,
    resolveMinutes: 5,
    priority: "P3",
    channel: "investigate",
    inhibitedBy: ["ErrorRateCritical"],
  },
  {
    name: "LatencyP95Warning",
    summary: "The P95 of requests is over 1 s",
    condition: {
      kind: "ratio",
      part: slowerThan(1),
      of: timed,
      compare: ">",
      percent: 5,
      countMin: 20,
      windowMinutes: 5,
    },
    forMinutes: 5,
    resolveMinutes: 5,
    priority: "P3",
    channel: "investigate",
    inhibitedBy: ["LatencyP95Critical"],
  },
  {
    name: "SecurityEventsSpike",
    summary: "There are many more security events than in the last day",
    condition: {
      kind: "spike",
      of: { metric: "security_events_total" },
      countMin: 10,
      times: 3,
      meanHours: 24,
      windowMinutes: 5,
    },
    forMinutes: 0,
    resolveMinutes: 15,
    priority: "P3",
    channel: "investigate",
    escalates: { times: 10, priority: "P2", channel: "team" },
  },
  {
    name: "DrainStalled",
    summary: "Events have not been drained for over 180 s: metrics and alerts are blind",
    condition: { kind: "gauge", metric: "telemetry_drain_lag_seconds", compare: ">", value: 180 },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P2",
    channel: "team",
  },
  {
    name: "CronMissed",
    summary: "The job {label} has not succeeded for over two of its periods",
    condition: {
      kind: "age",
      metric: "cron_last_success_timestamp_seconds",
      by: "job",
      periods: 2,
      periodSeconds: {
        tick: 60,
        cleanup: 3600,
        "backup-check": 86_400,
        "restore-drill": 31 * 86_400,
      },
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P3",
    channel: "investigate",
  },
  {
    name: "BackupUnsafe",
    summary: "The backups do not keep what they promise",
    condition: { kind: "gauge", metric: "backup_unsafe", compare: ">=", value: 1 },
    forMinutes: 0,
    resolveMinutes: 0,
    priority: "P2",
    channel: "team",
  },
  {
    name: "AuditChainBroken",
    summary: "A seal of the audit log does not fit: rows were changed or removed",
    condition: { kind: "gauge", metric: "audit_chain_broken", compare: ">=", value: 1 },
    forMinutes: 0,
    resolveMinutes: 0,
    priority: "P1",
    channel: "page",
  },
  {
    name: "PagerUndelivered",
    summary: "Notices through {label} have waited for over 5 min",
    condition: {
      kind: "gauge",
      metric: "notice_unsent_seconds",
      compare: ">",
      value: 300,
      by: "channel",
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P2",
    channel: "other",
  },
] as const satisfies readonly Rule[];

export type RuleName = (typeof rules)[number]["name"];

export const ruleNames = rules.map(({ name }) => name) as [RuleName, ...RuleName[]];

export function findRule(name: string): Rule | null {
  return rules.find((rule) => rule.name === name) ?? null;
}

/** `ErrorRateCritical` → `error-rate-critical`, the name of its runbook. */
export function runbookSlug(rule: string): string {
  return rule.replace(/(?<=[a-z\d])(?=[A-Z])/g, "-").toLowerCase();
}
