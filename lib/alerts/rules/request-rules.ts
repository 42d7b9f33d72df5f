import { serverErrorCodes } from "../../errors.js";
import type { CounterSelector, LabelMatchers, Rule } from "../rule.js";

/** Probes, crons and scanners call often: they must neither hide an outage of users' requests nor look like one. */
const userRoutes: LabelMatchers = {
  route: { not: "unmatched|/api/(health|livez|metrics|cron/.*)" },
};
const requests: CounterSelector = { metric: "http_requests_total", where: userRoutes };
/** By code, not by status: the 503 of a route group that an operator switched off is not an error. */
const serverErrors: CounterSelector = {
  metric: "http_errors_total",
  where: { ...userRoutes, code: { matches: serverErrorCodes.join("|") } },
};
const timedRequests: CounterSelector = {
  metric: "http_request_duration_seconds",
  where: userRoutes,
};
const slowerThan = (seconds: number): CounterSelector => ({
  ...timedRequests,
  slowerThanSeconds: seconds,
});

export const requestRules = [
  {
    name: "ErrorRateCritical",
    summary: "More than 5 % of requests fail with a server error",
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
    name: "ErrorRateWarning",
    summary: "More than 1 % of requests fail with a server error",
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
    name: "LatencyP95Critical",
    summary: "The P95 latency of requests is over 2 s",
    condition: {
      kind: "ratio",
      part: slowerThan(2),
      of: timedRequests,
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
    name: "LatencyP95Warning",
    summary: "The P95 latency of requests is over 1 s",
    condition: {
      kind: "ratio",
      part: slowerThan(1),
      of: timedRequests,
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
    name: "RateLimitNearMax",
    summary: "At least 5 % of requests use over 80 % of the rate limit {label}",
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
    summary: "Over 5 % of rate limit checks are decided without Redis",
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
] as const satisfies readonly Rule[];
