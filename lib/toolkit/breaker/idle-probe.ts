import { randomUUID } from "node:crypto";
import type { Context } from "../../context.js";
import { circuitBreakerChanged } from "../../observability/log-lines/external.js";
import { isFailure } from "../attempt.js";
import { askHealth } from "../health.js";
import { operations } from "../operations.js";
import { acquireProbe, readBreaker, settleProbe } from "./shared-breaker.js";
import { breakerState } from "./state.js";

const quietMs = 5 * 60_000;
const { totalMs } = operations.health;
const leaseMs = totalMs + 5000;

/** Probe a breaker that has been half-open for 5 minutes; until then a real call may be the probe, which proves more. Rejects when Redis is down. */
export async function probeIdleBreaker(ctx: Context): Promise<void> {
  const { mode, generation, untilMs } = breakerState((await readBreaker()).field);
  if (mode !== "open" || Date.now() - untilMs < quietMs) return;
  const holder = randomUUID();
  if (!(await acquireProbe(new Date(), { generation, holder, leaseMs }))) return;
  const { outcome, retryAfterMs } = await askHealth(ctx, AbortSignal.timeout(totalMs));
  const found = { generation, holder, isHealthy: !isFailure(outcome), retryAfterMs };
  const transition = await settleProbe(new Date(), found);
  if (transition !== "none") circuitBreakerChanged(ctx.correlationId, "toolkit", transition);
}
