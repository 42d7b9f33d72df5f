import { securityEvent } from "../../audit/security-events.js";
import { isUnverifiedSessionLive } from "../../auth/session/unverified-session.js";
import type { UnverifiedSession } from "../../auth/token/access-token.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { addressLimitKey } from "../../ip-address.js";
import type { LimitCount } from "../../rate-limit/count.js";
import { secondsUntil } from "../../rate-limit/headers.js";
import { localCounts } from "../../rate-limit/local-counts.js";
import type { PolicyName } from "../../rate-limit/policies.js";
import { countRefused } from "../../rate-limit/refused-requests.js";
import { isTrusted } from "../../rate-limit/trusted-address.js";

const policy = "bad-signatures";
/** Repetitions by one app; more with one session ID are an attack. */
const excusedMax = 10;
const excusedForMs = 5 * 60_000;

/** Throws `rate_limited`, without I/O, for an invalid token from an address that has sent too many. */
export function requireFewForged(ctx: Context): void {
  const untilMs = localCounts().endOf(refusalKey(ctx), ctx.now.getTime());
  if (untilMs === null || isTrusted(ctx.address, ctx.env)) return;
  securityEvent(ctx, "rate_limited", { data: { policy, reason: "ip" } });
  throw new AppError("rate_limited", { retryAfterSeconds: secondsUntil(untilMs, ctx.now) });
}

/**
 * Count an invalid token against its IP address after the reply: always in `default`, and in `bad-signatures`
 * unless it names a live session. After a change of the secret, every app behind one address sends such a token.
 */
export function countForgedLater(ctx: Context, named: UnverifiedSession | null): void {
  ctx.after(async () => {
    const isExcusable = named !== null && (await isExcused(ctx, named));
    const names: PolicyName[] = isExcusable ? ["default"] : ["default", policy];
    const refuseAtMaximum = (counts: LimitCount[]) => {
      const forged = counts.find(({ limit }) => limit.policy === policy);
      if (forged?.remaining === 0) {
        localCounts().count(refusalKey(ctx), forged.resetsAtMs, ctx.now.getTime());
      }
    };
    refuseAtMaximum(await countRefused(ctx, names, refuseAtMaximum));
  });
}

async function isExcused(ctx: Context, named: UnverifiedSession): Promise<boolean> {
  const nowMs = ctx.now.getTime();
  const shown = localCounts().count(`retired:${named.sessionId}`, nowMs + excusedForMs, nowMs);
  if (shown > excusedMax) return false;
  // Without Postgres every invalid token is counted.
  return isUnverifiedSessionLive(ctx, named).catch(() => false);
}

const refusalKey = ({ address }: Context) => `refused:${policy}:${addressLimitKey(address)}`;
