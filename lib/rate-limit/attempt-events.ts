import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import type { Count, Reservation } from "./count.js";
import { countFailure, failuresOfRun } from "./failure-run.js";
import type { LimitKind } from "./policies.js";

const suspiciousFailures = 3;

/** Somebody showed wrong credentials; after the reply it is counted whether it was one of many. */
export function attemptFailed(ctx: Context, reserved: Reservation): void {
  if (reserved.counts.length === 0) return;
  const account = counted(reserved, "account");
  const data = { ...(account && { account: account.value }) };
  securityEvent(ctx, "login_failed", { data });
  ctx.after(async () => {
    for (const reason of await countFailure(ctx, reserved)) {
      securityEvent(ctx, "login_bruteforce", { data: { ...data, reason, count: failuresOfRun } });
    }
  });
}

/** Somebody signed in: after failures it may be the owner who remembered, or a guess that was right. */
export function attemptSucceeded(ctx: Context, reserved: Reservation, userId: string): void {
  const account = counted(reserved, "account");
  // The attempt itself was counted in advance, unless the account's own token let it past the delay.
  const failures = account ? account.used - (account.allowed ? 1 : 0) : 0;
  if (failures < suspiciousFailures) return;
  securityEvent(ctx, "login_success_after_failures", { userId, data: { count: failures } });
}

function counted({ counts }: Reservation, kind: LimitKind): Count | undefined {
  return counts.find(({ limit }) => limit.kind === kind);
}
