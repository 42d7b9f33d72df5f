import type { CounterSelector, LabelMatchers, Rule } from "../rule.js";

/** Regular expression of outcomes that are the caller's fault. Statuses that affect every call, such as 402 and 404, are failures. */
export const callerFaultOutcomes =
  "status_4(00|13|15|22)|validation_error|invalid_parameter|missing_required_field";
/** Without the probe of each minute, which has a gauge of its own: `external_probe_failed`. */
const calls: CounterSelector = {
  metric: "external_api_calls_total",
  where: { operation: { not: "health" } },
};
const failedCalls: CounterSelector = {
  ...calls,
  where: { ...calls.where, outcome: { not: `ok|${callerFaultOutcomes}` } },
};
const probe = (names: string): LabelMatchers => ({ probe: { matches: names } });

export const dependencyRules = [
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
    summary: "Redis is down or does not accept writes",
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
    name: "ExternalApiDown",
    summary: "The external service {label} is failing",
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
        // Half-open counts as failing: no call has succeeded yet.
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
] as const satisfies readonly Rule[];
