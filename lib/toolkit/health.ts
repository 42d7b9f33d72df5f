import type { Context } from "../context.js";
import { type Attempt, attempt } from "./attempt.js";
import { operations } from "./operations.js";

/** One attempt, even while the breaker is open: this is how recovery is detected. */
export function askHealth(ctx: Context, signal: AbortSignal): Promise<Attempt<true>> {
  const sent = { read: () => true as const, signal };
  return attempt<true>(ctx, "health", sent, operations.health.attemptMs);
}
