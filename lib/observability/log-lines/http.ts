import { type AppError, type ErrorCode, isServerError } from "../../errors.js";
import { isRedisSkipped } from "../../platform/redis-transport/breaker.js";
import { errorFields, log } from "../logger.js";

export interface CompletedRequest {
  correlationId: string;
  method: string;
  path: string;
  ip: string | undefined;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
  /** The head was sent, but not the whole body. */
  cut: "failed" | "aborted" | undefined;
}

export function requestCompleted(request: CompletedRequest): void {
  const { correlationId, method, path, ip, status, code, cut } = request;
  const duration = Math.round(request.durationMs * 10) / 10;
  log(
    isServerError(status, code) ? "ERROR" : "INFO",
    {
      evt: "http_request",
      cat: "http",
      correlationId,
      req: { method, path, ip },
      data: { status, duration, code, cut },
    },
    "Request completed",
  );
}

/** Of `internal_error` and `service_unavailable`: details that the caller must not see. */
export function unexpectedError(correlationId: string, route: string, error: AppError): void {
  log(
    "ERROR",
    {
      evt: "request_failed",
      cat: "http",
      correlationId,
      data: { route, code: error.code, ...errorFields(error.cause ?? error) },
    },
    "Request failed",
  );
}

/** Not logged if Redis was skipped, so that an outage does not flood the log. */
export function workFailed(correlationId: string, error: unknown): void {
  if (isRedisSkipped(error)) return;
  log(
    "WARN",
    { evt: "deferred_work_failed", cat: "http", correlationId, data: errorFields(error) },
    "Work after the reply failed",
  );
}
