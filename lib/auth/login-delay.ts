import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { securityEvent } from "../observability/security-events.js";
import { secondsUntil } from "../rate-limit/headers.js";

/** What an attempt to sign in knows of the delay of the account that it names. */
export interface DelayedClient {
  /** Until when it is delayed for everybody but its own sessions; null when it is not. */
  delayedUntil: Date | null;
}

/**
 * Throws `rate_limited` in a delay, unless `shown`, whose token the caller holds, is the account that was
 * found. Call it before the password is hashed.
 */
export function requireUndelayed(
  ctx: Context,
  { delayedUntil }: DelayedClient,
  shown: { userId: string } | undefined,
  account: { id: string } | null,
): void {
  if (delayedUntil === null || (account && account.id === shown?.userId)) return;
  securityEvent(ctx, "rate_limited", { data: { policy: "account", reason: "account" } });
  throw new AppError("rate_limited", {
    retryAfterSeconds: secondsUntil(delayedUntil.getTime(), ctx.now),
  });
}
