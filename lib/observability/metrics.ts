export interface Metric {
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  /** Upper bounds in seconds. */
  buckets?: readonly number[];
}

export const secondsBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10] as const;

/** Counters and histograms are summed from request events. Labels have few values: never an address, a user or an ID. */
export const metrics = {
  http_requests_total: {
    type: "counter",
    help: "Completed requests.",
    labels: ["route", "method", "status"],
  },
  http_request_duration_seconds: {
    type: "histogram",
    help: "Request duration.",
    labels: ["route"],
    buckets: secondsBuckets,
  },
  http_errors_total: {
    type: "counter",
    help: "Requests with an error reply, by error code.",
    labels: ["route", "code"],
  },
  rate_limit_calls_total: {
    type: "counter",
    help: "Requests counted by a rate limit policy, by the counter used: redis, postgres or local (in the process).",
    labels: ["policy", "decided_by"],
  },
  rate_limit_near_max_total: {
    type: "counter",
    help: "Requests above 80 % of the maximum of a rate limit policy.",
    labels: ["policy"],
  },
  rate_limit_hits_total: {
    type: "counter",
    help: "Requests rejected by a rate limit policy.",
    labels: ["policy", "route"],
  },
  external_api_calls_total: {
    type: "counter",
    help: "Calls to external services.",
    labels: ["service", "operation", "outcome"],
  },
  external_api_duration_seconds: {
    type: "histogram",
    help: "Duration of calls to external services.",
    labels: ["service", "operation"],
    buckets: secondsBuckets,
  },
  jwt_verification_failures_total: {
    type: "counter",
    help: "Rejected tokens, by reason.",
    labels: ["reason"],
  },
  content_cache_reads_total: {
    type: "counter",
    help: "Reads of the catalogue, by whether Redis held the reply.",
    labels: ["result"],
  },
  attempts_total: {
    type: "counter",
    help: "Attempts of lessons that were started, completed or abandoned.",
    labels: ["change"],
  },
  answers_total: {
    type: "counter",
    help: "Graded answers, by type of exercise and verdict.",
    labels: ["type", "verdict"],
  },
  security_events_total: {
    type: "counter",
    help: "Security events, by kind.",
    labels: ["event"],
  },
  telemetry_lost_batches_total: {
    type: "counter",
    help: "Batches of request events that could not be written to Redis.",
    labels: [],
  },
  telemetry_events_total: {
    type: "counter",
    help: "Request events drained to Postgres.",
    labels: [],
  },
  retention_removed_rows_total: {
    type: "counter",
    help: "Rows removed because of their age, by class of data; of the access log about as many.",
    labels: ["class"],
  },
  active_sessions: { type: "gauge", help: "Live sessions.", labels: [] },
  account_deletions_pending: {
    type: "gauge",
    help: "Accounts whose deletion was requested and that are not erased yet.",
    labels: [],
  },
  account_deletions_overdue: {
    type: "gauge",
    help: "Accounts that should have been erased over 2 h ago.",
    labels: [],
  },
  accounts_erased: {
    type: "gauge",
    help: "Receipts of erased accounts.",
    labels: [],
  },
  circuit_breaker_state: {
    type: "gauge",
    help: "State of the circuit breaker: 0 closed, 1 half-open, 2 open.",
    labels: ["service"],
  },
  cron_last_success_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of the last successful run of a cron job.",
    labels: ["job"],
  },
  dead_letters: {
    type: "gauge",
    help: "Jobs and mails that failed permanently in the last 24 h and were not retried.",
    labels: ["queue"],
  },
  cron_first_due_timestamp_seconds: {
    type: "gauge",
    help: "Unix time at which a cron job was first due.",
    labels: ["job"],
  },
  cron_outage_seconds: {
    type: "gauge",
    help: "Seconds without Postgres or Redis since the last success of a cron job.",
    labels: ["job"],
  },
  audit_chain_broken: {
    type: "gauge",
    help: "1 while the audit log does not match its seals, or is not sealed in time.",
    labels: [],
  },
  telemetry_drain_lag_seconds: {
    type: "gauge",
    help: "Age of the oldest event that was not drained.",
    labels: [],
  },
  telemetry_mode: {
    type: "gauge",
    help: "Sampling of the last access log rows: 0 every row, 1 one row in ten, 2 no rows (counters only).",
    labels: [],
  },
  alert_active: {
    type: "gauge",
    help: "1 while the alert is firing.",
    labels: ["rule", "label"],
  },
  probe_failed: {
    type: "gauge",
    help: "1 while the health check of a store or of the server fails.",
    labels: ["probe"],
  },
  external_probe_failed: {
    type: "gauge",
    help: "1 while the health check of an external service fails.",
    labels: ["service"],
  },
  backup_unsafe: {
    type: "gauge",
    help: "1 while a check of the backups fails.",
    labels: ["check"],
  },
  backup_last_check_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of the last check of the backups.",
    labels: [],
  },
  backup_schedule_retention_seconds: {
    type: "gauge",
    help: "Retention of the daily backup schedule; 0 without one.",
    labels: [],
  },
  backup_newest_snapshot_timestamp_seconds: {
    type: "gauge",
    help: "Unix time of the newest snapshot.",
    labels: [],
  },
  backup_daily_snapshots: {
    type: "gauge",
    help: "Days of the last 30 that have a snapshot.",
    labels: [],
  },
  backup_coverage_since_timestamp_seconds: {
    type: "gauge",
    help: "Unix time from which on each day must have a snapshot.",
    labels: [],
  },
  backup_pitr_window_seconds: {
    type: "gauge",
    help: "Length of the window of point-in-time recovery.",
    labels: [],
  },
  backup_branch_ready: {
    type: "gauge",
    help: "1 while the branch with the live database is ready.",
    labels: [],
  },
  backup_last_drill_success_timestamp_seconds: {
    type: "gauge",
    help: "Unix time at which the last successful restore drill ended.",
    labels: [],
  },
  backup_drill_rto_seconds: {
    type: "gauge",
    help: "Recovery time of the last successful restore drill.",
    labels: [],
  },
  backup_drill_rpo_seconds: {
    type: "gauge",
    help: "Age of the newest row in the copy of the last successful restore drill, at the time that was restored.",
    labels: [],
  },
  restore_drill_failed: {
    type: "gauge",
    help: "1 while this part of the last restore drill has failed.",
    labels: ["part"],
  },
  notice_unsent_seconds: {
    type: "gauge",
    help: "Age of the oldest undelivered notice of a channel.",
    labels: ["channel"],
  },
  build_info: {
    type: "gauge",
    help: "Version and commit of the running release.",
    labels: ["version", "sha"],
  },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;

/**
 * The series name in the Prometheus text format: `http_errors_total{route="/api/user",code="not_found"}`. Also the key
 * of totals and roll-ups. Histogram sums are stored in µs, so that every counter is an integer.
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
