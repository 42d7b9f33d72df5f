import { randomUUID } from "node:crypto";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { circuitBreakerChanged } from "../../observability/log-lines/external.js";
import { type Attempt, isFailure } from "../attempt.js";
import type { OperationName } from "../operations.js";
import { recordBreakerGauge } from "./gauge.js";
import { LocalBreaker } from "./local-breaker.js";
import { acquireProbe, reportFailures, settleProbe, type Transition } from "./shared-breaker.js";
import { breakerState } from "./state.js";
import { UnreportedCalls } from "./unreported-calls.js";

/** Permission for one call; `settle` must be called with the result. */
export interface Admission {
  isProbe: boolean;
  settle(attempts: Attempt<unknown>[]): void;
}

const probeBusySeconds = 2;
/** The same as for a disabled route group. */
const heldSeconds = 60;
const local = new LocalBreaker();
/** Successes are reported together with the next failure, so that they need no Redis call. */
const unreported = new UnreportedCalls();

/**
 * Check the breaker, as read by the request's own Redis round trip: a closed breaker costs no extra call. Without Redis,
 * the breaker of this process decides. Half-open, one caller gets the lease of the probe. Throws `toolkit_unavailable`, or `feature_disabled` while it is forced open.
 */
export async function admit(
  ctx: Context,
  operation: OperationName,
  leaseMs: number,
): Promise<Admission> {
  if (!ctx.gate) return admitLocally(ctx, operation);
  const { mode, generation, untilMs } = breakerState(ctx.gate.toolkitBreaker);
  if (mode === "forced_closed") return { isProbe: false, settle: countLocally };
  if (mode === "forced_open") throw circuitOpen(ctx, operation, heldSeconds, "feature_disabled");
  if (mode === "closed") {
    return {
      isProbe: false,
      settle(attempts) {
        countLocally(attempts);
        unreported.add(Date.now(), attempts.length);
        const failures = attempts.filter(({ outcome }) => isFailure(outcome)).length;
        if (failures === 0) return;
        const calls = unreported.take(Date.now());
        const seen = { generation, failures, calls, retryAfterMs: longestPause(attempts) };
        ctx.after(async () => recordTransition(ctx, await reportFailures(new Date(), seen)));
      },
    };
  }
  const now = new Date();
  if (untilMs > now.getTime())
    throw circuitOpen(ctx, operation, Math.ceil((untilMs - now.getTime()) / 1000));
  const holder = randomUUID();
  const acquired = await acquireProbe(now, { generation, holder, leaseMs }).catch(() => false);
  if (!acquired) throw circuitOpen(ctx, operation, probeBusySeconds);
  return {
    isProbe: true,
    settle(attempts) {
      countLocally(attempts);
      const isHealthy = attempts.some(({ outcome }) => !isFailure(outcome));
      const found = { generation, holder, isHealthy, retryAfterMs: longestPause(attempts) };
      ctx.after(async () => recordTransition(ctx, await settleProbe(new Date(), found)));
    },
  };
}

function admitLocally(ctx: Context, operation: OperationName): Admission {
  const nowMs = Date.now();
  const admitted = local.admit(nowMs);
  if (admitted === "open") {
    throw circuitOpen(ctx, operation, Math.max(1, Math.ceil((local.openUntilMs - nowMs) / 1000)));
  }
  if (admitted === "closed") return { isProbe: false, settle: countLocally };
  return {
    isProbe: true,
    settle: (attempts) =>
      local.settleProbe(
        Date.now(),
        attempts.some(({ outcome }) => !isFailure(outcome)),
      ),
  };
}

function countLocally(attempts: Attempt<unknown>[]): void {
  const failures = attempts.filter(({ outcome }) => isFailure(outcome)).length;
  local.count(Date.now(), { calls: attempts.length, failures });
}

async function recordTransition(ctx: Context, transition: Transition): Promise<void> {
  if (transition === "none") return;
  circuitBreakerChanged(ctx.correlationId, "toolkit", transition);
  await recordBreakerGauge(ctx);
}

function circuitOpen(
  ctx: Context,
  operation: OperationName,
  retryAfterSeconds: number,
  code: "toolkit_unavailable" | "feature_disabled" = "toolkit_unavailable",
): AppError {
  const call = { service: "toolkit", operation, outcome: "circuit_open", durationMs: 0 };
  ctx.requestMetrics.externalCalls.push(call);
  return new AppError(code, { retryAfterSeconds });
}

const longestPause = (attempts: Attempt<unknown>[]) =>
  Math.max(0, ...attempts.map(({ retryAfterMs }) => retryAfterMs));
