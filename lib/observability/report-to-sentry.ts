import { setTimeout as sleep } from "node:timers/promises";
import { atMostPerMinute } from "../at-most-per-minute.js";
import type { Context } from "../context.js";
import type { Env } from "../env.js";
import type { AppError, ErrorCode } from "../errors.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { startTrace, type Trace, traceNowMs } from "../trace.js";
import { profilesUnavailable, sentryUnavailable } from "./log-lines/sentry.js";
import type { RequestReport } from "./request-report.js";
import { safeErrors } from "./safe-error.js";
import type { Sentry } from "./sentry.js";

const reportTimeoutMs = 2000;

/** Polled by machines: never traced. */
const untraced = new Set(["/api/health", "/api/livez", "/api/metrics"]);

/** Undefined without SENTRY_DSN. */
export function traceOf(headers: Headers, env: Env, route: string): Trace | undefined {
  const { sentry } = env;
  if (sentry.dsn === undefined) return undefined;
  const rate = untraced.has(route) ? 0 : sentry.tracesSampleRate;
  return startTrace(headers, rate, allowances(env).mayForceSampling);
}

const allowances = memoizeByObject((_: Env) => ({
  mayForceSampling: atMostPerMinute(60),
  mayReportError: atMostPerMinute(60),
  mayReportOutage: atMostPerMinute(6),
}));

/** Undefined if nothing is to be reported: no sampled trace, no error within the limits per minute, no cron check-in. */
export function reportOf(
  { env, trace, route, correlationId, requestMetrics }: Context,
  { method, status }: { method: string; status: number },
  error: AppError | undefined,
): RequestReport | undefined {
  if (!trace) return undefined;
  const endedAtMs = traceNowMs(trace);
  const isCron = route.startsWith("/api/cron/") && status !== 401;
  const durationSeconds = (endedAtMs - trace.startedAtMs) / 1000;
  const checkIn = isCron ? { path: route, isOk: status < 400, durationSeconds } : undefined;
  const isReported = error !== undefined && isReportable(env, error);
  if (!trace.isSampled && !isReported && !checkIn) return undefined;
  return {
    trace,
    route,
    method,
    status,
    code: error?.code,
    correlationId,
    userId: requestMetrics.userId,
    endedAtMs,
    errors: isReported ? safeErrors(error.cause ?? error) : [],
    checkIn,
  };
}

/** Call after the reply. Never rejects. Waits at most 2 s; a report not sent by then may be lost. */
export async function reportToSentry(env: Env, report: RequestReport): Promise<void> {
  const end = new AbortController();
  const sendReport = async () => {
    try {
      const sentry = await loadOnce(env);
      sentry.report(report);
      await sentry.flush(reportTimeoutMs);
    } catch {
      logFailure("not_loaded");
    }
  };
  await Promise.race([
    sendReport(),
    sleep(reportTimeoutMs, undefined, { signal: end.signal }).catch(() => {}),
  ]);
  end.abort();
}

function isReportable(env: Env, { code }: AppError): boolean {
  const { mayReportError, mayReportOutage } = allowances(env);
  if (code === "internal_error") return mayReportError();
  return outageCodes.includes(code) && mayReportOutage();
}

const outageCodes: readonly ErrorCode[] = ["service_unavailable", "redis_unavailable"];

const slot = Symbol.for("linguamate.sentry");
const shared = globalThis as { [slot]?: (env: Env) => Promise<Sentry> };

/** Shared by all functions of a process. */
function loadOnce(env: Env): Promise<Sentry> {
  shared[slot] ??= memoizeByObject(load);
  return shared[slot](env);
}

async function load({ sentry, release, jwt }: Env): Promise<Sentry> {
  const { openSentry } = await import("./sentry.js");
  if (sentry.profilesSampleRate > 0) profilesUnavailable();
  return openSentry({
    dsn: sentry.dsn ?? "",
    release: release.sha,
    environment: jwt.environment,
    sampleRate: sentry.tracesSampleRate,
    onFailure: logFailure,
  });
}

const mayLogFailure = atMostPerMinute(1);

function logFailure(reason: string): void {
  if (mayLogFailure()) sentryUnavailable(reason);
}
