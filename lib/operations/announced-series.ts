import { routeNames } from "../alerts/send-notice.js";
import { securityEventNames } from "../audit/security-events.js";
import { operations as neonOperations } from "../backups/neon/operations.js";
import type { Env } from "../env.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { seriesName } from "../observability/metrics.js";
import { limitsOf } from "../rate-limit/policies.js";
import { attemptChanges, cacheResults, limitDeciders, tokenFailures } from "../request-metrics.js";
import { retentionClasses } from "../schedule/retention/classes.js";
import { scheduledJobs } from "../schedule/scheduled-jobs.js";
import { operations } from "../toolkit/operations.js";
// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import declaredRoutes from "./declared-routes.json" with { type: "json" };

export interface DeclaredRoute {
  /** Of successes, by method. */
  statuses: Record<string, string[]>;
  serverErrors: string[];
  limits: string[];
}

/** Every series whose labels are known before its first event, as 0: `rate()` would miss the first event of a new series. */
export const announcedSeries = memoizeByObject((env: Env): ReadonlyMap<string, number> => {
  const names = [
    ...Object.entries<DeclaredRoute>(declaredRoutes).flatMap(([route, declared]) =>
      ofRoute(route, declared),
    ),
    ...Object.keys(limitsOf(env)).flatMap((policy) => [
      seriesName("rate_limit_near_max_total", { policy }),
      ...limitDeciders.map((decided_by) =>
        seriesName("rate_limit_calls_total", { policy, decided_by }),
      ),
    ]),
    ...calls.flatMap(([service, operation, ...outcomes]) => [
      seriesName("external_api_duration_seconds", { service, operation }, "_count"),
      ...["ok", "timeout", "network", ...outcomes].map((outcome) =>
        seriesName("external_api_calls_total", { service, operation, outcome }),
      ),
    ]),
    ...tokenFailures.map((reason) => seriesName("jwt_verification_failures_total", { reason })),
    ...cacheResults.map((result) => seriesName("content_cache_reads_total", { result })),
    ...attemptChanges.map((change) => seriesName("attempts_total", { change })),
    ...securityEventNames.map((event) => seriesName("security_events_total", { event })),
    ...retentionClasses.map(({ name }) =>
      seriesName("retention_removed_rows_total", { class: name }),
    ),
    ...scheduledJobs.map((job) => seriesName("cron_outage_seconds", { job })),
  ];
  return new Map(names.map((name) => [name, 0]));
});

/** The external services: operation, and the outcomes besides those of every call. */
const calls: [service: string, operation: string, ...outcomes: string[]][] = [
  ...Object.keys(operations).map((operation): [string, string, ...string[]] => [
    "toolkit",
    operation,
    "invalid_reply",
    "circuit_open",
  ]),
  ...Object.keys(neonOperations).map((operation): [string, string, string] => [
    "neon",
    operation,
    "invalid_reply",
  ]),
  ["mail", "send"],
  ["heartbeat", "beat"],
  ["vercel", "list_deployments", "invalid_reply"],
  ["vercel", "get_project", "invalid_reply"],
  ...routeNames.map((name): [string, string] => [name, "notify"]),
];

function ofRoute(route: string, { statuses, serverErrors, limits }: DeclaredRoute): string[] {
  return [
    ...Object.entries(statuses).flatMap(([method, each]) =>
      each.map((status) => seriesName("http_requests_total", { route, method, status })),
    ),
    seriesName("http_request_duration_seconds", { route }, "_count"),
    ...serverErrors.map((code) => seriesName("http_errors_total", { route, code })),
    ...limits.map((policy) => seriesName("rate_limit_hits_total", { policy, route })),
  ];
}
