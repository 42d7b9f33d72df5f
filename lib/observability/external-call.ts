import type { Context } from "../context.js";
import { traceHeaders, withSpan } from "../trace.js";

/**
 * Call an external service, recorded in the request's metrics and trace. `service`, `operation` and the outcome (`ok` or
 * an error code) are metric labels, so few values. An exception counts as `timeout` or `network` and is rethrown.
 */
export async function externalCall<T>(
  { requestMetrics, trace }: Pick<Context, "requestMetrics" | "trace">,
  { service, operation }: { service: string; operation: string },
  work: () => Promise<T>,
  outcomeOf: (result: T) => string = () => "ok",
): Promise<T> {
  const startedAt = performance.now();
  const describe = () => `${service} ${operation}`;
  const isOk = (result: T) => outcomeOf(result) === "ok";
  let outcome = "network";
  try {
    const result = await withSpan(trace, "http.client", describe, work, isOk);
    outcome = outcomeOf(result);
    return result;
  } catch (error) {
    if (isLate(error)) outcome = "timeout";
    throw error;
  } finally {
    const durationMs = performance.now() - startedAt;
    requestMetrics.externalCalls.push({ service, operation, outcome, durationMs });
  }
}

/** For external services. */
export const correlationHeader = (correlationId: string) => ({ "X-Correlation-ID": correlationId });

/** For our own services: also continues the trace. */
export function propagationHeaders({
  correlationId,
  trace,
}: Pick<Context, "correlationId" | "trace">): Record<string, string> {
  return { ...correlationHeader(correlationId), ...traceHeaders(trace) };
}

function isLate(error: unknown): boolean {
  return error instanceof Error && ["TimeoutError", "AbortError"].includes(error.name);
}
