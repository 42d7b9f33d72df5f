import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import type { LimitCount, LimitValues, Reservation } from "../../rate-limit/count.js";
import { rateLimitHeaders, secondsUntil } from "../../rate-limit/headers.js";
import type { Limit } from "../../rate-limit/policies.js";
import { limitsOfRefused } from "../../rate-limit/refused-requests.js";
import { limitUses } from "../../rate-limit/reservation.js";
import { limitsFor, subjectOf } from "../../rate-limit/subject.js";
import { isTrusted } from "../../rate-limit/trusted-address.js";
import type { Identity } from "../endpoint.js";
import type { Call } from "../exchange.js";
import { limitsOfKey, subjectOfKey } from "./operator-key.js";
import type { Credential } from "./require-credential.js";

export interface Counting {
  limits: Limit[];
  subject: LimitValues;
  /** A bearer token was sent together with credentials, or has expired. */
  isTokenAside: boolean;
}

export function countingOf(
  { endpoint, ctx }: Call,
  { claims, key }: Credential,
  identity: Identity,
): Counting {
  const { env, address } = ctx;
  if (key) {
    const limits = limitsOfKey(env, endpoint.limits, key);
    return { limits, subject: subjectOfKey(address, key), isTokenAside: false };
  }
  // A caller who guesses passwords could send another valid token with each guess.
  const isTokenAside =
    claims !== undefined &&
    endpoint.auth === "optional" &&
    (endpoint.identify !== undefined || !("isExpired" in claims) || claims.isExpired);
  const ofToken = claims && {
    [isTokenAside ? "shownSession" : "session"]: claims.sessionId,
    user: claims.userId,
    // Only a guest's session starts without a credential.
    isGuest: claims.authMethods.length === 0,
    isVerified: claims.emailVerified,
  };
  const subject = subjectOf(env, address, { ...ofToken, ...identity });
  return { limits: limitsFor(env, endpoint.limits), subject, isTokenAside };
}

/** Of a request whose body was refused before it could name the caller. */
export function countingOfRefused({ endpoint, ctx }: Call): Counting {
  const limits = limitsOfRefused(ctx.env, endpoint.limits);
  return { limits, subject: subjectOf(ctx.env, ctx.address, {}), isTokenAside: false };
}

/**
 * Throws `rate_limited` with the time to wait, or `toolkit_unavailable` for a limit that all callers
 * share; trusted addresses are never refused. Sets the rate-limit headers. For a login with a bearer token,
 * returns the account's delay, if any, for `comparableCandidates` to decide.
 */
export function requireWithinLimits(
  { ctx, headers }: Call,
  reserved: Reservation,
  { isTokenAside }: Counting,
): LimitCount | null {
  const { counts } = reserved;
  ctx.requestMetrics.limits.push(...limitUses(reserved));
  Object.assign(headers, rateLimitHeaders(counts.filter(isCallersOwn), ctx.now));
  const delay = isTokenAside ? accountDelay(ctx, counts) : null;
  refuseOverLimit(
    ctx,
    counts.filter((count) => count !== delay),
  );
  return delay;
}

/** A limit of all callers, or one that only withholds mail, is not shown to a caller. */
const isCallersOwn = ({ limit }: LimitCount) => limit.kind !== "all" && !limit.suppressesMail;

function accountDelay({ address, env }: Context, counts: LimitCount[]): LimitCount | null {
  if (isTrusted(address, env)) return null;
  return counts.find(({ limit, allowed }) => limit.kind === "account" && !allowed) ?? null;
}

function refuseOverLimit(ctx: Context, counts: LimitCount[]): void {
  const [longest] = counts
    .filter(({ limit, allowed }) => !allowed && !limit.suppressesMail)
    .sort((one, other) => other.resetsAtMs - one.resetsAtMs);
  if (!longest || isTrusted(ctx.address, ctx.env)) return;
  const { policy, kind } = longest.limit;
  const retryAfterSeconds = secondsUntil(longest.resetsAtMs, ctx.now);
  if (kind === "all") throw new AppError("toolkit_unavailable", { retryAfterSeconds });
  securityEvent(ctx, "rate_limited", { data: { policy, reason: kind } });
  throw new AppError("rate_limited", { retryAfterSeconds });
}

/** Whether mail may be sent to an unverified e-mail address. False is a security event; the reply is the same. */
export function mayMailUnproven(ctx: Context, { counts }: Reservation): boolean {
  const muting = counts.find(({ limit, allowed }) => limit.suppressesMail && !allowed);
  if (!muting || isTrusted(ctx.address, ctx.env)) return true;
  const { policy, kind } = muting.limit;
  securityEvent(ctx, "rate_limited", { data: { policy, reason: kind } });
  return false;
}
