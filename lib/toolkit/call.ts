import type { Context } from "../context.js";
import { AppError, type ErrorCode } from "../errors.js";
import { repeatedCall } from "../observability/repeated-call.js";
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
  const { attemptMs, totalMs, retriesMax } = operations[call.operation];
  const endsAtMs = performance.now() + Math.min(call.deadlineMs ?? totalMs, totalMs);
  const admission = await admit(ctx, call.operation, totalMs + leaseSpareMs);
  const attempts: Attempt<T>[] = [];
  try {
    await repeatedCall(
      ctx,
      {
        ...{ service: "toolkit", operation: call.operation, attemptMs, endsAtMs, pauseMs },
        retriesMax: admission.isProbe ? 0 : retriesMax,
        mayRepeat: isTransient,
      },
      async (timeoutMs) => {
        const made = await attempt(ctx, call.operation, call, timeoutMs);
        attempts.push(made);
        return made;
      },
    );
  } finally {
    admission.settle(attempts);
  }
  const last = attempts.at(-1);
  if (last?.outcome === "ok") return last.value as T;
  const outcome = last?.outcome ?? "timeout";
  throw refusalOf(call, outcome) ?? unavailable(last);
}

/** Transient errors. Not timeouts: they have used the time of another attempt. */
function isTransient(outcome: string): boolean {
  return outcome === "network" || outcome === "status_429" || /^status_5/.test(outcome);
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
