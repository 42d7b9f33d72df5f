import { securityEvent } from "../../audit/security-events.js";
import { isNamedSessionLive } from "../../auth/session/named-session.js";
import type { UnprovenSession } from "../../auth/token/access-token.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { limitedAddress } from "../../ip-address.js";
import type { Count } from "../../rate-limit/count.js";
import { secondsUntil } from "../../rate-limit/headers.js";
import { localCounts } from "../../rate-limit/local-counts.js";
import type { PolicyName } from "../../rate-limit/policies.js";
import { countRefused } from "../../rate-limit/refused-requests.js";
import { isTrusted } from "../../rate-limit/trusted-address.js";

const policy = "bad-signatures";
/** An app that repeats a token of a retired secret; more of one session are an attack that names it. */
const excusedMax = 10;
const excusedForMs = 5 * 60_000;

/**
 * Refuse a bad token from an address that has shown too many: throws `rate_limited`, without any I/O.
 * Valid tokens from there never come here.
 */
export function requireFewForged(ctx: Context): void {
  const untilMs = localCounts().endOf(refusalKey(ctx), ctx.now.getTime());
  if (untilMs === null || isTrusted(ctx.address, ctx.env)) return;
  securityEvent(ctx, "rate_limited", { data: { policy, reason: "ip" } });
  throw new AppError("rate_limited", { retryAfterSeconds: secondsUntil(untilMs, ctx.now) });
}

/**
 * Count a bad token against its sender's address after the reply. At the maximum the process remembers the
 * address until the window ends. A token of a live session counts as one of a retired secret: after the
 * secret was changed, a school's apps all show such tokens.
 */
export function countForgedLater(ctx: Context, named: UnprovenSession | null): void {
  ctx.after(async () => {
    const isExcusable = named !== null && (await isExcused(ctx, named));
    const names: PolicyName[] = isExcusable ? ["default"] : ["default", policy];
    const refuseAtMaximum = (counts: Count[]) => {
      const forged = counts.find(({ limit }) => limit.policy === policy);
      if (forged?.remaining === 0) {
        localCounts().count(refusalKey(ctx), forged.resetsAtMs, ctx.now.getTime());
      }
    };
    refuseAtMaximum(await countRefused(ctx, names, refuseAtMaximum));
  });
}

async function isExcused(ctx: Context, named: UnprovenSession): Promise<boolean> {
  const nowMs = ctx.now.getTime();
  const shown = localCounts().count(`retired:${named.sessionId}`, nowMs + excusedForMs, nowMs);
  if (shown > excusedMax) return false;
  // Whoever cannot be looked up is not excused: the hundred are counted also while Postgres is away.
  return isNamedSessionLive(ctx, named).catch(() => false);
}

const refusalKey = ({ address }: Context) => `refused:${policy}:${limitedAddress(address)}`;
