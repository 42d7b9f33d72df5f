import type { OperatorKey } from "../auth/operator/operator-key.js";
import {
  type KeptSession,
  readKeyState,
  readSession,
  type SessionAnswer,
} from "../auth/session/live-session.js";
import type { AccessClaims, ShownClaims } from "../auth/token/access-token.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { securityEvent } from "../observability/security-events.js";
import { blockMembers, requireServed } from "../ops/gate/serve.js";
import { rateLimitHeaders } from "../rate-limit/headers.js";
import { type Count, countRequest } from "../rate-limit/limiter.js";
import { readBlocks } from "../redis/blocks.js";
import { roundTrip } from "../redis/client.js";
import { readGate } from "../redis/gate.js";
import { isTrusted } from "./caller-address.js";
import type { BodySubject, Client, Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import {
  accountDelay,
  countRefused,
  giveBackAllLater,
  giveBackLater,
  limitsFor,
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
        ...(claims && { user: claims.userId, isGuest: claims.authMethods.length === 0 }),
        ...told,
      });
  const country = request.headers.get("x-vercel-ip-country") ?? undefined;
  const needsSession = claims !== undefined && endpoint.auth !== "token";
  if (limits.length === 0 && !needsSession) {
    const reserved: Client["reserved"] = { counts: [], countedIn: "redis" };
    const nothing = { delayedUntil: null, session: null, keyState: "unknown" } as const;
    return { country, reserved, ...nothing, revokeAllBefore: 0 };
  }
  const trip = roundTrip(ctx);
  // A trusted address cannot be shut out, not even by a network around it, and break-glass lifts blocks
  // from anywhere.
  const isUnblockable = isTrusted(ctx.address, ctx.env) || key?.kind === "break_glass";
  const address = isUnblockable ? undefined : ctx.address;
  const members = blockMembers(address, claims?.userId);
  const [gate, blocked, counted, session, keyState] = await Promise.allSettled([
    readGate(trip),
    readBlocks(trip, members),
    countRequest(trip, limits, subject, ctx.now),
    needsSession ? readSession(trip, claims.sessionId) : null,
    told.session === undefined ? ("unknown" as const) : readKeyState(trip, told.session),
    trip.send(),
  ]);
  ctx.gate = gate.status === "fulfilled" ? gate.value : null;
  const reserved = await settleCounts(ctx, counted, limits, subject);
  await requireServed(ctx, members, blocked.status === "fulfilled" ? blocked.value : null).catch(
    (refusal) => {
      const isSwitchedOff = refusal instanceof AppError && refusal.code === "feature_disabled";
      if (isSwitchedOff) giveBackAllLater(ctx, reserved);
      else giveBackLater(ctx, reserved);
      throw refusal;
    },
  );
  for (const { limit, used, allowed } of reserved.counts) {
    ctx.facts.limits.push({ policy: limit.policy, used, max: limit.max, refused: !allowed });
  }
  Object.assign(headers, rateLimitHeaders(callersOwn(reserved.counts), ctx.now));
  const delay = isShown ? accountDelay(ctx, reserved) : null;
  const deciding = reserved.counts.filter((count) => count !== delay);
  requireWithinLimits(ctx, { ...reserved, counts: deciding }, ctx.address);
  const refundable = reserved.counts.filter(({ limit }) => limit.keeps !== "requests");
  return {
    country,
    delayedUntil: delay && new Date(delay.resetsAtMs),
    reserved: { ...reserved, counts: refundable },
    session: needsSession ? sessionAnswer(ctx, session) : null,
    keyState: keyState.status === "fulfilled" ? keyState.value : "unknown",
    revokeAllBefore: ctx.gate?.revokeAllBefore ?? 0,
  };
}

/**
 * Whether the bearer's session is what calls, by which to count. One that comes along with credentials,
 * or has expired, is not: who guesses could show another with each guess.
 */
function isCaller({ auth, subject }: Endpoint, claims: AccessClaims | ShownClaims): boolean {
  if (auth !== "optional") return true;
  return subject === undefined && "isExpired" in claims && !claims.isExpired;
}

/** What everybody uses up together is not told to each. */
const callersOwn = (counts: Count[]) => counts.filter(({ limit }) => limit.kind !== "all");

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
    securityEvent(ctx, "jwt_signature_invalid", { data: { reason: "refresh_token" } });
    ctx.after(() => countRefused(ctx, ["default"], ctx.address));
    throw error;
  }
}
