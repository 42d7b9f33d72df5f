import type { Context } from "../context.js";
import { spanned, traceHeaders } from "../trace.js";

/**
 * Call a service outside, which is measured, counted among the request's facts, and a span of its trace.
 * `service` and `operation` are words of few values, and so is what `outcomeOf` makes of a result:
 * `ok`, or why it failed. Whatever `work` throws is `timeout` or `network`, and is thrown on.
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
    const result = await spanned(trace, "http.client", describe, work, isOk);
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

/** What goes along to every service outside, so that its records can be found by ours. */
export const correlationHeader = (correlationId: string) => ({ "X-Correlation-ID": correlationId });

/** What goes along to a service of our own house: its traces meet ours, too. */
export function onwardHeaders({
  correlationId,
  trace,
}: Pick<Context, "correlationId" | "trace">): Record<string, string> {
  return { ...correlationHeader(correlationId), ...traceHeaders(trace) };
}

function isLate(error: unknown): boolean {
  return error instanceof Error && ["TimeoutError", "AbortError"].includes(error.name);
}
