import type { Context } from "../context.js";
import { externalCall, propagationHeaders } from "../observability/external-call.js";
import { boundedText, retryAfterMs } from "../reply-text.js";
import { type OperationName, operations } from "./operations.js";

export type AttemptOutcome = "ok" | "timeout" | "network" | "invalid_reply" | `status_${number}`;

export interface Attempt<T> {
  outcome: AttemptOutcome;
  value: T | undefined;
  /** From Retry-After, at most an hour; 0 without it. */
  retryAfterMs: number;
}

export interface ToolkitRequest<T> {
  body?: string | FormData;
  /** Parses the body of a 2xx reply. Throws if it is invalid. */
  read(text: string): T;
  signal?: AbortSignal;
}

const replyBytesMax = 1024 * 1024;

/** One call within `timeoutMs`. Never rejects; recorded in `ctx.requestMetrics`. */
export async function attempt<T>(
  ctx: Context,
  operation: OperationName,
  { body, read, signal }: ToolkitRequest<T>,
  timeoutMs: number,
): Promise<Attempt<T>> {
  const { method, path } = operations[operation];
  const { url, apiKey } = ctx.env.toolkit;
  const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
  const ask = async (): Promise<Attempt<T>> => {
    try {
      const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
        method,
        // The API key must not follow a redirect to another host.
        redirect: "manual",
        signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
        headers: {
          ...propagationHeaders(ctx),
          ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}),
          ...(typeof body === "string" ? { "Content-Type": "application/json" } : {}),
        },
        ...(body === undefined ? {} : { body }),
      });
      return await readReply(response, read);
    } catch {
      return failed(deadline.aborted || signal?.aborted ? "timeout" : "network");
    }
  };
  return externalCall(ctx, { service: "toolkit", operation }, ask, ({ outcome }) => outcome);
}

/** A 4xx caused by our request is not a failure of the toolkit. */
export function isFailure(outcome: string): boolean {
  return outcome !== "ok" && !/^status_4(?!01|03|08|29)/.test(outcome);
}

async function readReply<T>(response: Response, read: (text: string) => T): Promise<Attempt<T>> {
  const { ok, status, headers } = response;
  if (!ok) {
    await response.body?.cancel();
    return {
      ...failed<T>(`status_${status}`),
      retryAfterMs: retryAfterMs(headers.get("retry-after")),
    };
  }
  const text = await boundedText(response, replyBytesMax);
  if (text === null) return failed("invalid_reply");
  try {
    return { outcome: "ok", value: read(text), retryAfterMs: 0 };
  } catch {
    return failed("invalid_reply");
  }
}

const failed = <T>(outcome: AttemptOutcome): Attempt<T> => ({
  outcome,
  value: undefined,
  retryAfterMs: 0,
});
