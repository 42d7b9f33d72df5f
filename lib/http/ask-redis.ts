import { blockMembers, requireServed } from "../admission/admission.js";
import { effectiveRevokeAll } from "../admission/revoke-all.js";
import { securityEvent } from "../audit/security-events.js";
import type { OperatorKey } from "../auth/operator/operator-key.js";
import {
  type KeptSession,
  readKeyState,
  readSession,
  type SessionAnswer,
} from "../auth/session/live-session.js";
import type { AccessClaims, ShownClaims } from "../auth/token/access-token.js";
import { unprovenRefreshSession } from "../auth/token/refresh-token.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { redisRefusesWrites } from "../observability/log-lines/stores.js";
import type { Count } from "../rate-limit/count.js";
import { rateLimitHeaders } from "../rate-limit/headers.js";
import { countRequest } from "../rate-limit/limiter.js";
import { countLocally } from "../rate-limit/local-counts.js";
import { readBlocks } from "../redis/blocks.js";
import { roundTrip } from "../redis/client.js";
import { readGate } from "../redis/gate.js";
import { doesRedisLag, redisLags } from "../redis/lag.js";
import { writeRefusal } from "../redis/refused-writes.js";
import { isTrusted } from "./caller-address.js";
import type { BodySubject, Client, Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { countForgedLater, requireFewForged } from "./forged-credentials.js";
import {
  accountDelay,
  giveBackAllLater,
  giveBackLater,
  limitsFor,
  limitUses,
  mayMailUnproven,
  requireWithinLimits,
  settleCounts,
  subjectOf,
} from "./limits.js";
import { limitsOfKey, subjectOfKey } from "./operator-key.js";

/**
 * The request's one Redis round trip, skipped when the endpoint needs nothing of it: the gate, blocks,
 * limits, the session. Throws `address_blocked`, `account_blocked`, `feature_disabled`, and
 * `rate_limited` when a limit is used up.
 */
export async function askRedis(
  endpoint: Endpoint,
  { ctx, request, headers }: Exchange,
  claims: AccessClaims | ShownClaims | undefined,
  body: unknown,
  key?: OperatorKey,
): Promise<Client> {
  const limits = key
    ? limitsOfKey(ctx.env, endpoint.limits, key)
    : limitsFor(ctx.env, endpoint.limits);
  const told = toldByBody(endpoint, ctx, body);
  const isShown = claims !== undefined && !isCaller(endpoint, claims);
  const subject = key
    ? subjectOfKey(ctx.address, key)
    : subjectOf(ctx.env, ctx.address, {
        ...(claims && { [isShown ? "shownSession" : "session"]: claims.sessionId }),
        // Only a guest's session was begun without a credential.
        ...(claims && {
          user: claims.userId,
          isGuest: claims.authMethods.length === 0,
          isVerified: claims.emailVerified,
        }),
        ...told,
      });
  const country = request.headers.get("x-vercel-ip-country") ?? undefined;
  const needsSession = claims !== undefined && endpoint.auth !== "token";
  if (limits.length === 0 && !needsSession) {
    const reserved: Client["reserved"] = { counts: [], countedIn: "redis" };
    const nothing = {
      mayMailUnproven: true,
      delayedUntil: null,
      session: null,
      keyState: "unknown",
    } as const;
    return { country, reserved, ...nothing, revokeAllBefore: 0 };
  }
  const local = countLocally(limits, subject, ctx.now);
  const trip = roundTrip(ctx);
  const members = blockMembers(blockableAddress(ctx, key), claims?.userId);
  const [gate, blocked, counted, session, keyState] = await Promise.allSettled([
    readGate(trip),
    readBlocks(trip, members),
    countRequest(trip, limits, subject, ctx.now),
    needsSession ? readSession(trip, claims.sessionId) : null,
    told.session === undefined ? ("unknown" as const) : readKeyState(trip, told.session),
    trip.send(),
  ]);
  const decides = doesRedisDecide(ctx, counted);
  ctx.gate = decides && gate.status === "fulfilled" ? gate.value : null;
  const reserved = await settleCounts(ctx, counted, limits, subject, local);
  if (ctx.gate) {
    ctx.gate.revokeAllBefore = await effectiveRevokeAll(ctx, ctx.gate.revokeAllBefore);
  }
  const found = decides && blocked.status === "fulfilled" ? blocked.value : null;
  await requireServed(ctx, members, found).catch((refusal) => {
    const isSwitchedOff = refusal instanceof AppError && refusal.code === "feature_disabled";
    if (isSwitchedOff) giveBackAllLater(ctx, reserved);
    else giveBackLater(ctx, reserved);
    throw refusal;
  });
  ctx.requestMetrics.limits.push(...limitUses(reserved));
  Object.assign(headers, rateLimitHeaders(callersOwn(reserved.counts), ctx.now));
  const delay = isShown ? accountDelay(ctx, reserved) : null;
  const deciding = reserved.counts.filter((count) => count !== delay);
  requireWithinLimits(ctx, { ...reserved, counts: deciding }, ctx.address);
  const refundable = reserved.counts.filter(({ limit }) => limit.keeps !== "requests");
  return {
    country,
    mayMailUnproven: mayMailUnproven(ctx, reserved),
    delayedUntil: delay && new Date(delay.resetsAtMs),
    reserved: { ...reserved, counts: refundable },
    session: needsSession ? sessionAnswer(ctx, session) : null,
    keyState: decides && keyState.status === "fulfilled" ? keyState.value : "unknown",
    revokeAllBefore: ctx.gate?.revokeAllBefore ?? 0,
  };
}

/**
 * The address by which a caller may be blocked. A trusted one cannot be shut out, not even by a network
 * around it, and break-glass lifts blocks from anywhere.
 */
export function blockableAddress(
  { address, env }: Context,
  key: OperatorKey | undefined,
): string | undefined {
  return isTrusted(address, env) || key?.kind === "break_glass" ? undefined : address;
}

/**
 * Whether what Redis says may be acted upon. Not after it has refused to count this very request: it
 * takes no writes, and so may hold what has ended, been blocked or switched off since. Then, and until
 * what it missed is repaired, Postgres decides as when Redis is away.
 */
function doesRedisDecide(ctx: Context, counted: PromiseSettledResult<Count[]>): boolean {
  if (counted.status === "fulfilled") return !doesRedisLag();
  if (writeRefusal(counted.reason)) {
    if (!doesRedisLag()) redisRefusesWrites(ctx.correlationId, counted.reason);
    redisLags();
  }
  return false;
}

/**
 * Whether the bearer's session is what calls, by which to count. One that comes along with credentials,
 * or has expired, is not: who guesses could show another with each guess.
 */
function isCaller({ auth, subject }: Endpoint, claims: AccessClaims | ShownClaims): boolean {
  if (auth !== "optional") return true;
  return subject === undefined && "isExpired" in claims && !claims.isExpired;
}

/** What everybody uses up together is not told to each, nor what mutes. */
const callersOwn = (counts: Count[]) =>
  counts.filter(({ limit }) => limit.kind !== "all" && !limit.mutes);

/** Both or nothing: a session that is there says little without the moment that ends them all. */
function sessionAnswer(
  { gate }: Context,
  session: PromiseSettledResult<KeptSession | null>,
): SessionAnswer | null {
  if (!gate || session.status === "rejected") return null;
  return { session: session.value, revokeAllBefore: gate.revokeAllBefore };
}

/** What the body is counted by. A token in it that is not ours counts like a bearer that is not. */
function toldByBody(endpoint: Endpoint, ctx: Context, body: unknown): BodySubject {
  try {
    return endpoint.subject?.(body, ctx) ?? {};
  } catch (error) {
    requireFewForged(ctx);
    securityEvent(ctx, "jwt_signature_invalid", { data: { reason: "refresh_token" } });
    countForgedLater(ctx, unprovenRefreshSession(ctx.env, shownRefreshToken(body)));
    throw error;
  }
}

function shownRefreshToken(body: unknown): string {
  const { refreshToken } = body as { refreshToken?: unknown };
  return typeof refreshToken === "string" ? refreshToken : "";
}
