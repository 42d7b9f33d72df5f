import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import type { LimitCount, Reservation } from "./count.js";
import { countFailure, failuresPerRun } from "./failure-run.js";
import type { LimitKind } from "./policies.js";

const suspiciousFailures = 3;

/** Security event `login_failed`, and after the reply `login_bruteforce` for the tenth of a run. None without counts. */
export function recordFailedAttempt(ctx: Context, reserved: Reservation): void {
  if (reserved.counts.length === 0) return;
  const { accountId } = reserved;
  const account = accountOf(reserved);
  const data = { ...(account && { account }), ...(accountId && { accountId }) };
  securityEvent(ctx, "login_failed", { data });
  ctx.after(async () => {
    for (const reason of await countFailure(ctx, reserved)) {
      securityEvent(ctx, "login_bruteforce", { data: { ...data, reason, count: failuresPerRun } });
    }
  });
}

/** A security event after three or more failures of the account: the owner remembered, or an attacker guessed. */
export function recordSuccessfulAttempt(ctx: Context, reserved: Reservation, userId: string): void {
  const account = findCount(reserved, "account");
  // This attempt was counted in advance, unless a token or a pass exempted it from the delay.
  const isCounted = account?.allowed && !account.usedPass;
  const failures = (account?.used ?? 0) - (isCounted ? 1 : 0);
  if (failures < suspiciousFailures) return;
  securityEvent(ctx, "login_success_after_failures", { userId, data: { count: failures } });
}

/** Guesses at a reset code are counted by IP address and account, never by account alone. */
function accountOf(reserved: Reservation): string | undefined {
  const ofIpAndAccount = findCount(reserved, "ip-account")?.value;
  return findCount(reserved, "account")?.value ?? ofIpAndAccount?.split("/").at(-1);
}

function findCount({ counts }: Reservation, kind: LimitKind): LimitCount | undefined {
  return counts.find(({ limit }) => limit.kind === kind);
}
