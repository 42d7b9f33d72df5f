import { setTimeout as sleep } from "node:timers/promises";
import { atMostPerMinute } from "../at-most.js";
import type { Context } from "../context.js";
import type { Env } from "../env.js";
import type { AppError } from "../errors.js";
import { oncePer } from "../once-per.js";
import { momentIn, openTrace, type Trace } from "../trace.js";
import { profilesUnavailable, sentryUnavailable } from "./log-lines/sentry.js";
import type { RequestReport } from "./request-report.js";
import { safeErrors } from "./safe-error.js";
import type { Sentry } from "./sentry.js";

/** How long an invocation may last for Sentry's sake, after its reply. */
const tellMs = 2000;

/** Asked all the time by machines: never traced, whoever wants it. */
const untraced = new Set(["/api/health", "/api/livez", "/api/metrics"]);

/** The trace that a request is a part of; undefined where SENTRY_DSN is not set. */
export function traceOf(headers: Headers, env: Env, route: string): Trace | undefined {
  const { sentry } = env;
  if (sentry.dsn === undefined) return undefined;
  const rate = untraced.has(route) ? 0 : sentry.tracesSampleRate;
  return openTrace(headers, rate, allowances(env).isCallerBelieved);
}

/** So often a minute and function: an error that is ours, a store's absence, a caller that asks to be sampled. */
const allowances = oncePer((_: Env) => ({
  isCallerBelieved: atMostPerMinute(60),
  isErrorTold: atMostPerMinute(60),
  isOutageTold: atMostPerMinute(6),
}));

/** What Sentry is to be told of a request, now that its reply is ready; undefined when it is nothing. */
export function reportOf(
  { env, trace, route, correlationId, requestMetrics }: Context,
  { method, status }: { method: string; status: number },
  error: AppError | undefined,
): RequestReport | undefined {
  if (!trace) return undefined;
  const endedAtMs = momentIn(trace);
  const isClock = route.startsWith("/api/cron/") && status !== 401;
  const durationSeconds = (endedAtMs - trace.startedAtMs) / 1000;
  const checkIn = isClock ? { path: route, isOk: status < 400, durationSeconds } : undefined;
  const isTold = error !== undefined && isErrorOfOurs(env, error);
  if (!trace.isSampled && !isTold && !checkIn) return undefined;
  return {
    trace,
    route,
    method,
    status,
    code: error?.code,
    correlationId,
    userId: requestMetrics.userId,
    endedAtMs,
    errors: isTold ? safeErrors(error.cause ?? error) : [],
    checkIn,
  };
}

/**
 * Tell Sentry, which is loaded when there is something to tell for the first time. Belongs after the
 * reply. Never rejects, and resolves within 2 s: what was not sent by then is lost.
 */
export async function tellSentry(env: Env, report: RequestReport): Promise<void> {
  const end = new AbortController();
  const told = async () => {
    try {
      const sentry = await loaded(env);
      sentry.tell(report);
      await sentry.flush(tellMs);
    } catch {
      failed("not_loaded");
    }
  };
  await Promise.race([told(), sleep(tellMs, undefined, { signal: end.signal }).catch(() => {})]);
  end.abort();
}

function isErrorOfOurs(env: Env, { code }: AppError): boolean {
  const { isErrorTold, isOutageTold } = allowances(env);
  if (code === "internal_error") return isErrorTold();
  return code === "service_unavailable" && isOutageTold();
}

const slot = Symbol.for("linguamate.sentry");
const shared = globalThis as { [slot]?: (env: Env) => Promise<Sentry> };

/** One for all functions of a process, each of which has the file beside it. */
function loaded(env: Env): Promise<Sentry> {
  shared[slot] ??= oncePer(load);
  return shared[slot](env);
}

async function load({ sentry, release, jwt, toolkit }: Env): Promise<Sentry> {
  // Built as a file of its own: dev/build/late-files.ts.
  const { openSentry } = await import("./sentry.js");
  if (sentry.profilesSampleRate > 0) profilesUnavailable();
  return openSentry({
    dsn: sentry.dsn ?? "",
    release: release.sha,
    environment: jwt.environment,
    sampleRate: sentry.tracesSampleRate,
    toolkitUrl: toolkit.url,
    onFailure: failed,
  });
}

const isFailureTold = atMostPerMinute(1);

function failed(reason: string): void {
  if (isFailureTold()) sentryUnavailable(reason);
}
