import { defaultStackParser, type NodeClient } from "@sentry/serverless";
// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import vercelJson from "../../vercel.json" with { type: "json" };
import { type ErrorCode, isServerError } from "../errors.js";
import type { Span } from "../trace.js";
import { redactText } from "./redact.js";
import type { RequestReport } from "./request-report.js";

type Event = Parameters<NodeClient["captureEvent"]>[0];

export function transactionOf(report: RequestReport): Event {
  const { trace, route, method, status, code, endedAtMs } = report;
  return {
    ...common(report),
    type: "transaction",
    transaction_info: { source: "route" },
    start_timestamp: trace.startedAtMs / 1000,
    timestamp: endedAtMs / 1000,
    contexts: {
      trace: {
        ...traceContext(report),
        op: "http.server",
        status: spanStatus(status, code),
        data: {
          "http.method": method,
          "http.route": route,
          "http.response.status_code": status,
          correlation_id: report.correlationId,
        },
      },
    },
    // The SDK's type describes its live spans; the JSON of spans is sent.
    spans: trace.spans.map((span) => spanOf(span, report)) as unknown as NonNullable<
      Event["spans"]
    >,
  };
}

function spanOf(span: Span, { trace, correlationId, endedAtMs }: RequestReport) {
  const { id, op, description, startedAtMs, isOk } = span;
  return {
    span_id: id,
    trace_id: trace.traceId,
    parent_span_id: trace.spanId,
    op,
    description,
    start_timestamp: startedAtMs / 1000,
    // A span may still be open after the reply.
    timestamp: Math.max(span.endedAtMs, startedAtMs) / 1000,
    status: isOk ? "ok" : "unknown_error",
    data: {
      correlation_id: correlationId,
      ...(startedAtMs > endedAtMs ? { after_reply: true } : {}),
    },
  };
}

export function errorOf(report: RequestReport): Event {
  const { errors, code } = report;
  return {
    ...common(report),
    level: "error",
    ...(code ? { fingerprint: ["{{ default }}", code] } : {}),
    contexts: { trace: traceContext(report) },
    exception: {
      // Sentry expects the outermost error last.
      values: errors.toReversed().map(({ name, message, frames }) => ({
        type: name || "Error",
        value: message,
        stacktrace: { frames: defaultStackParser(`${name}\n${frames ?? ""}`) },
      })),
    },
  };
}

function common({ route, method, status, code, correlationId, userId }: RequestReport): Event {
  return {
    transaction: route,
    tags: {
      correlation_id: correlationId,
      "http.method": method,
      "http.status_code": String(status),
      ...(code ? { code } : {}),
    },
    ...(userId === undefined ? {} : { user: { id: userId } }),
  };
}

function traceContext({ trace }: RequestReport) {
  const { traceId, spanId, parentSpanId } = trace;
  return {
    trace_id: traceId,
    span_id: spanId,
    ...(parentSpanId === undefined ? {} : { parent_span_id: parentSpanId }),
  };
}

/** Removes request, breadcrumbs, extra and all user data except the ID; redacts error messages and span descriptions. */
export function scrub<E extends Event>(event: E): E {
  const { request, breadcrumbs, extra, user, ...kept }: Event = event;
  for (const value of kept.exception?.values ?? []) value.value = redactText(value.value ?? "");
  for (const span of kept.spans ?? []) span.description = redactText(span.description ?? "");
  return { ...kept, ...(user?.id === undefined ? {} : { user: { id: user.id } }) } as E;
}

/** Source: develop.sentry.dev/sdk/telemetry/traces/span-status. */
function spanStatus(status: number, code: ErrorCode | undefined): string {
  if (status < 400) return "ok";
  // Excluded from Sentry's failure rate.
  if (status >= 500 && !isServerError(status, code)) return "cancelled";
  const known: Record<number, string> = {
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "already_exists",
    413: "failed_precondition",
    429: "resource_exhausted",
    503: "unavailable",
    504: "deadline_exceeded",
  };
  return known[status] ?? (status < 500 ? "invalid_argument" : "internal_error");
}

/** `/api/cron/tick` becomes `api-cron-tick`: a slug cannot contain a slash. */
export function slugOf(path: string): string {
  return path.replace(/^\//, "").replace(/[^a-z\d_-]+/gi, "-");
}

export function monitorOf(path: string) {
  const schedule = vercelJson.crons.find((cron) => cron.path === path)?.schedule;
  if (schedule === undefined) return undefined;
  return {
    schedule: { type: "crontab" as const, value: schedule },
    checkinMargin: 5,
    maxRuntime: 10,
    timezone: "UTC",
  };
}
