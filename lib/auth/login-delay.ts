import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { secondsUntil } from "../rate-limit/headers.js";
import type { Candidates } from "./login-candidates.js";

/** What an attempt to sign in knows of the delay of the account that it names. */
export interface DelayedClient {
  /** Until when it is delayed for everybody but its own sessions; null when it is not. */
  delayedUntil: Date | null;
}

/**
 * The accounts whose hash may be compared: every candidate, or in a delay the one whose token (`shown`)
 * the caller holds, for a claim must not carry guesses at the bound account past its delay. Throws
 * `rate_limited` where none is left. Call it before the password is hashed.
 */
export function undelayedCandidates(
  ctx: Context,
  { delayedUntil }: DelayedClient,
  shown: { userId: string } | undefined,
  { bound, claim }: Candidates,
): Candidates {
  if (delayedUntil === null) return { bound, claim };
  if (bound && bound.id === shown?.userId) return { bound, claim: null };
  if (claim && claim.id === shown?.userId) return { bound: null, claim };
  securityEvent(ctx, "rate_limited", { data: { policy: "account", reason: "account" } });
  throw new AppError("rate_limited", {
    retryAfterSeconds: secondsUntil(delayedUntil.getTime(), ctx.now),
  });
}
