import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { AppError, type ErrorCode } from "../errors.js";
import { externalCallFailed, externalRetry } from "../observability/log-lines/external.js";
import { type Attempt, type AttemptOutcome, attempt, type ToolkitRequest } from "./attempt.js";
import { admit } from "./breaker/admission.js";
import { type OperationName, operations } from "./operations.js";

export interface ToolkitCall<T> extends Omit<ToolkitRequest<T>, "signal"> {
  operation: OperationName;
  /** A duration; the operation's `totalMs` is the maximum and the default. */
  deadlineMs?: number | undefined;
  /** The error to throw when the toolkit rejects the request, by status. */
  refusals?: Partial<Record<number, ErrorCode>>;
}

const pauseMs = 250;
const leaseSpareMs = 5000;

/** Calls with retries. Throws `toolkit_unavailable`, `feature_disabled` (forced open), or a code of `refusals`. */
export async function callToolkit<T>(ctx: Context, call: ToolkitCall<T>): Promise<T> {
  const { totalMs, retriesMax } = operations[call.operation];
  const endsAtMs = performance.now() + Math.min(call.deadlineMs ?? totalMs, totalMs);
  const admission = await admit(ctx, call.operation, totalMs + leaseSpareMs);
  const attempts: Attempt<T>[] = [];
  try {
    await tryUntil(ctx, call, attempts, {
      endsAtMs,
      retriesMax: admission.isProbe ? 0 : retriesMax,
    });
  } finally {
    admission.settle(attempts);
  }
  const last = attempts.at(-1);
  if (last?.outcome === "ok") return last.value as T;
  const outcome = last?.outcome ?? "timeout";
  externalCallFailed({
    correlationId: ctx.correlationId,
    service: "toolkit",
    operation: call.operation,
    attempt: attempts.length,
    reason: outcome,
  });
  throw refusalOf(call, outcome) ?? unavailable(last);
}

async function tryUntil<T>(
  ctx: Context,
  call: ToolkitCall<T>,
  attempts: Attempt<T>[],
  { endsAtMs, retriesMax }: { endsAtMs: number; retriesMax: number },
): Promise<void> {
  const { operation } = call;
  for (;;) {
    const leftMs = endsAtMs - performance.now();
    const result = await attempt(
      ctx,
      operation,
      call,
      Math.min(operations[operation].attemptMs, leftMs),
    );
    attempts.push(result);
    if (!isTransient(result.outcome) || attempts.length > retriesMax) return;
    const delayMs = delayFor(attempts.length, result.retryAfterMs);
    // No time for another attempt: the caller gets Retry-After.
    if (performance.now() + delayMs >= endsAtMs) return;
    externalRetry({
      correlationId: ctx.correlationId,
      service: "toolkit",
      operation,
      attempt: attempts.length,
      delay: delayMs,
      reason: result.outcome,
    });
    await sleep(delayMs);
  }
}

/** Transient errors. Not timeouts: they have used the time of another attempt. */
function isTransient(outcome: AttemptOutcome): boolean {
  return outcome === "network" || outcome === "status_429" || /^status_5/.test(outcome);
}

/** Exponential backoff with jitter, at least Retry-After. */
function delayFor(attemptsMade: number, retryAfterMs: number): number {
  const doubled = pauseMs * 2 ** (attemptsMade - 1);
  return Math.round(Math.max(doubled * (0.5 + Math.random() / 2), retryAfterMs));
}

function refusalOf<T>(
  { refusals = {} }: ToolkitCall<T>,
  outcome: AttemptOutcome,
): AppError | undefined {
  const code = refusals[Number(/^status_(\d+)$/.exec(outcome)?.[1])];
  return code && new AppError(code);
}

function unavailable(last: Attempt<unknown> | undefined): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil((last?.retryAfterMs ?? 0) / 1000));
  return new AppError("toolkit_unavailable", { retryAfterSeconds });
}
