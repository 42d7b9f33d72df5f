import type { Context } from "../context.js";
import { type Attempt, attempt } from "./attempt.js";
import { operations } from "./operations.js";

/** Ask the toolkit how it is: once, whatever the breaker says, for that is how an outage is seen to end. */
export function askHealth(ctx: Context, signal: AbortSignal): Promise<Attempt<true>> {
  const sent = { read: () => true as const, signal };
  return attempt<true>(ctx, "health", sent, operations.health.attemptMs);
}
