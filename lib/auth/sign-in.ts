import type { Context } from "../context.js";
import { type Reservation, refund } from "../rate-limit/limiter.js";
import { refundInPostgres } from "../rate-limit/strict-fallback.js";
import { roundTrip } from "../redis/client.js";
import type { UserRow } from "../user/user.js";
import { markKeyUnwritten, type NewSession, writeSessionKey } from "./session.js";
import { issueTokenPair, type TokenPair } from "./token-pair.js";

/** What a sign-in knows of the request besides its body. */
export interface SignInClient {
  address: string | undefined;
  /** The gate's generation, or null when Redis could not tell. */
  redisGeneration: string | null;
  /** The failures that were counted in advance, given back on success. */
  reserved: Reservation;
}

/** A password sign-in's `amr` (RFC 8176). */
export const byPassword = ["pwd"];

/**
 * The second half of every sign-in, once the session's record is committed: write the key, give back
 * the reserved failures (one Redis round trip), mint the tokens.
 */
export async function finishSignIn(
  ctx: Context,
  user: UserRow,
  session: NewSession,
  row: { idleExpiresAt: Date; expiresAt?: Date | null | undefined },
  { reserved }: Pick<SignInClient, "reserved">,
): Promise<TokenPair> {
  const trip = roundTrip();
  const written = writeSessionKey(
    trip,
    session.id,
    {
      userId: user.id,
      role: user.role,
      device: session.device?.id ?? null,
      createdAt: ctx.now,
      expiresAt: row.expiresAt ?? null,
      authenticatedAt: ctx.now,
      authMethods: session.authMethods,
    },
    row.idleExpiresAt,
  );
  const inRedis = reserved.countedIn === "redis" ? reserved.counts : [];
  const [keyWritten] = await Promise.allSettled([written, refund(trip, inRedis), trip.send()]);
  if (keyWritten.status === "rejected") await markKeyUnwritten(ctx, session.id);
  if (reserved.countedIn === "postgres") {
    ctx.after(() => refundInPostgres(ctx, reserved.counts));
  }
  return issueTokenPair(ctx, session.id, user, session.authMethods);
}
