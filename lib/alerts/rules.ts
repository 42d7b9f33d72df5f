import type { SecurityEvent } from "../audit/security-events.js";
import { serverErrorCodes } from "../errors.js";
import type { Counted, Rule, Where } from "./rule.js";

/** Probes and the clock ask often and are no learners: they must neither hide an outage nor be one. */
const learners: Where = { route: { not: "/api/(health|livez|metrics|cron/.*)" } };
const requests: Counted = { metric: "http_requests_total", where: learners };
/** By code and not by status: the 503 of a group that an operator has switched off pages no one. */
const serverErrors: Counted = {
  metric: "http_errors_total",
  where: { ...learners, code: { matches: serverErrorCodes.join("|") } },
};
const timed: Counted = { metric: "http_request_duration_seconds", where: learners };
const slowerThan = (seconds: number): Counted => ({ ...timed, slowerThanSeconds: seconds });

/**
 * Outcomes in which a service did its part: it refused what somebody sent, and does so again however well
 * it is. Statuses that meet everybody alike, as 402 and 404 do, are failures.
 */
export const refusedAsSent =
  "status_4(00|13|15|22)|validation_error|invalid_parameter|missing_required_field";
/** Each minute asks how the toolkit is, and tells it by `external_probe_failed`. */
const calls: Counted = {
  metric: "external_api_calls_total",
  where: { operation: { not: "health" } },
};
const failedCalls: Counted = {
  ...calls,
  where: { ...calls.where, outcome: { not: `ok|${refusedAsSent}` } },
};

/** What owners and operators cause rightfully, and what pages by itself. Every other kind may be an attack. */
const noAttacks = [
  "new_device",
  "session_displaced",
  "second_factor_changed",
  "refresh_concurrent",
  "refresh_ahead",
  "operator_token_used",
  "admin_action",
  "break_glass",
] as const satisfies SecurityEvent[];
const attacks: Counted = {
  metric: "security_events_total",
  where: { event: { not: noAttacks.join("|") } },
};
/** Fewer are addresses that somebody made up; so many are a key or a domain of ours. */
export const failedMailsMin = 5;
const probe = (names: string): Where => ({ probe: { matches: names } });

/**
 * Every alert. The evaluator, the rules for Prometheus and docs/alerts.md are made from this table; the
 * runbook of each is docs/runbooks/<name in kebab case>.md.
 */
export const rules = [
  {
    name: "ErrorRateCritical",
    summary: "Over 5 % of requests fail with an error of ours",
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
    summary: "Redis does not answer, or takes no writes",
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
    name: "LimitsDecidedLocally",
    summary: "Over 5 % of limit calls are decided without Redis",
    condition: {
      kind: "ratio",
      part: { metric: "rate_limit_calls_total", where: { decided_by: { matches: "local" } } },
      of: { metric: "rate_limit_calls_total" },
      compare: ">",
      percent: 5,
      countMin: 100,
      windowMinutes: 5,
    },
    forMinutes: 5,
    resolveMinutes: 10,
    priority: "P2",
    channel: "team",
    inhibitedBy: ["RedisDown"],
  },
  {
    name: "ExternalApiDown",
    summary: "The service {label} fails",
    condition: {
      kind: "any",
      of: [
        {
          kind: "ratio",
          part: failedCalls,
          of: calls,
          compare: ">=",
          percent: 50,
          countMin: 5,
          windowMinutes: 5,
          by: "service",
        },
        // A half-open one has opened, and nothing has proven yet that it was right to let calls through.
        { kind: "gauge", metric: "circuit_breaker_state", compare: ">=", value: 1, by: "service" },
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
    summary: "Over 1 % of requests fail with an error of ours",
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
      of: attacks,
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
      since: "cron_first_due_timestamp_seconds",
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
    name: "DeadLetters",
    summary: "Work was given up and waits for somebody: {label}",
    condition: {
      kind: "any",
      of: [
        {
          kind: "gauge",
          metric: "dead_letters",
          where: { queue: { matches: "jobs" } },
          compare: ">=",
          value: 1,
          by: "queue",
        },
        {
          kind: "gauge",
          metric: "dead_letters",
          where: { queue: { matches: "mail" } },
          compare: ">=",
          value: failedMailsMin,
          by: "queue",
        },
      ],
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P3",
    channel: "investigate",
  },
  {
    name: "PagerUndelivered",
    summary: "Notices through {label} have waited for over 5 min, or are refused",
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
