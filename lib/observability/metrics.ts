/** One metric, as Prometheus knows it. */
export interface Metric {
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  /** Of a histogram: the upper bounds of its buckets, in seconds. */
  buckets?: readonly number[];
}

const secondsBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10] as const;

/**
 * Every metric, on one page. Counters and histograms are summed from request events, gauges are written
 * by whoever knows them. A label has few values: never an address, a user or a correlation ID.
 */
export const metrics = {
  http_requests_total: {
    type: "counter",
    help: "Requests that were answered.",
    labels: ["route", "method", "status"],
  },
  http_request_duration_seconds: {
    type: "histogram",
    help: "How long requests took.",
    labels: ["route"],
    buckets: secondsBuckets,
  },
  http_errors_total: {
    type: "counter",
    help: "Requests that were refused or failed, by problem code.",
    labels: ["route", "code"],
  },
  rate_limit_calls_total: {
    type: "counter",
    help: "Requests that a policy has counted, by who decided: redis, postgres, or the process itself (local).",
    labels: ["policy", "decided_by"],
  },
  rate_limit_near_max_total: {
    type: "counter",
    help: "Requests that found over 80 % of a policy's maximum used.",
    labels: ["policy"],
  },
  rate_limit_hits_total: {
    type: "counter",
    help: "Requests that a policy refused.",
    labels: ["policy", "route"],
  },
  external_api_calls_total: {
    type: "counter",
    help: "Calls of services outside.",
    labels: ["service", "operation", "outcome"],
  },
  external_api_duration_seconds: {
    type: "histogram",
    help: "How long calls of services outside took.",
    labels: ["service", "operation"],
    buckets: secondsBuckets,
  },
  jwt_verification_failures_total: {
    type: "counter",
    help: "Tokens that were refused.",
    labels: ["reason"],
  },
  security_events_total: {
    type: "counter",
    help: "Security events.",
    labels: ["event"],
  },
  telemetry_lost_batches_total: {
    type: "counter",
    help: "Batches of events that Redis did not take.",
    labels: [],
  },
  telemetry_events_total: {
    type: "counter",
    help: "Requests whose event was drained.",
    labels: [],
  },
  active_sessions: { type: "gauge", help: "Sessions that are live.", labels: [] },
  circuit_breaker_state: {
    type: "gauge",
    help: "0 closed, 1 half-open, 2 open.",
    labels: ["service"],
  },
  cron_last_success_timestamp_seconds: {
    type: "gauge",
    help: "When a job last did all of its work.",
    labels: ["job"],
  },
  dead_letters: {
    type: "gauge",
    help: "Jobs and mails that were given up within a day and not tried again.",
    labels: ["queue"],
  },
  cron_first_due_timestamp_seconds: {
    type: "gauge",
    help: "When a job was first known to be due.",
    labels: ["job"],
  },
  audit_chain_broken: {
    type: "gauge",
    help: "1 while the audit log is not what was sealed, or is not sealed in time.",
    labels: [],
  },
  telemetry_drain_lag_seconds: {
    type: "gauge",
    help: "How old the oldest event is that was not drained.",
    labels: [],
  },
  telemetry_mode: {
    type: "gauge",
    help: "What the last events were kept as: 0 every row, 1 one row in ten, 2 aggregates only.",
    labels: [],
  },
  alert_active: {
    type: "gauge",
    help: "1 while an alert fires.",
    labels: ["rule", "label"],
  },
  probe_failed: {
    type: "gauge",
    help: "1 while what the server stands on fails when it is asked.",
    labels: ["probe"],
  },
  external_probe_failed: {
    type: "gauge",
    help: "1 while a service outside fails when it is asked.",
    labels: ["service"],
  },
  backup_unsafe: {
    type: "gauge",
    help: "1 while the backups do not keep what they promise.",
    labels: [],
  },
  notice_unsent_seconds: {
    type: "gauge",
    help: "How long the oldest notice of a channel has waited.",
    labels: ["channel"],
  },
  build_info: { type: "gauge", help: "What runs.", labels: ["version", "sha"] },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;

/**
 * The name of one series in Prometheus' text format, its labels in the table's order:
 * `http_errors_total{route="/api/user",code="not_found"}`. Totals and roll-ups are kept under it.
 * `suffix` is `_bucket` (with the label `le`), `_sum` or `_count` of a histogram. Sums are kept in
 * microseconds, so that every value is a whole number.
 */
export function seriesName(
  name: MetricName,
  labels: Record<string, string> = {},
  suffix: "" | "_bucket" | "_sum" | "_count" = "",
): string {
  const { labels: known }: Metric = metrics[name];
  const given = [...known, ...(suffix === "_bucket" ? ["le"] : [])]
    .map((label) => `${label}="${escaped(labels[label] ?? "")}"`)
    .join(",");
  return `${name}${suffix}${given && `{${given}}`}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
