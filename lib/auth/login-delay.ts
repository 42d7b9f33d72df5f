import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { secondsUntil } from "../rate-limit/headers.js";
import type { Candidates } from "./login-candidates.js";

export interface LoginDelay {
  /** Null without a delay. Callers who hold a token of the account are exempt. */
  delayedUntil: Date | null;
}

/** During a delay a caller may only guess the account whose token it holds. Throws `rate_limited`. */
export function comparableCandidates(
  ctx: Context,
  { delayedUntil }: LoginDelay,
  presentedClaims: { userId: string } | undefined,
  { bound, claim }: Candidates,
): Candidates {
  if (delayedUntil === null) return { bound, claim };
  if (bound && bound.id === presentedClaims?.userId) return { bound, claim: null };
  if (claim && claim.id === presentedClaims?.userId) return { bound: null, claim };
  securityEvent(ctx, "rate_limited", { data: { policy: "account", reason: "account" } });
  throw new AppError("rate_limited", {
    retryAfterSeconds: secondsUntil(delayedUntil.getTime(), ctx.now),
  });
}
