import { randomUUID } from "node:crypto";
import type { Context } from "../../context.js";
import { circuitBreakerChanged } from "../../observability/log-lines/external.js";
import { askHealth } from "../health.js";
import { operations } from "../operations.js";
import { acquireProbe, readBreaker, settleProbe } from "./shared-breaker.js";
import { breakerState } from "./state.js";

const quietMs = 5 * 60_000;
const { totalMs } = operations.health;
/** A lease outlives its probe. */
const leaseMs = totalMs + 5000;

/**
 * Close a breaker that nobody has called through for five minutes since it may let a probe through, if
 * the toolkit says that it is well; open it again if not. A caller's own call proves more, and has until
 * then to be the probe. At once or twice is harmless. Rejects when Redis is away.
 */
export async function probeQuietBreaker(ctx: Context): Promise<void> {
  const { mode, generation, untilMs } = breakerState((await readBreaker()).field);
  if (mode !== "open" || Date.now() - untilMs < quietMs) return;
  const holder = randomUUID();
  if (!(await acquireProbe(new Date(), { generation, holder, leaseMs }))) return;
  const { outcome, retryAfterMs } = await askHealth(ctx, AbortSignal.timeout(totalMs));
  const found = { generation, holder, isHealthy: outcome === "ok", retryAfterMs };
  const transition = await settleProbe(new Date(), found);
  if (transition !== "none") circuitBreakerChanged(ctx.correlationId, "toolkit", transition);
}
