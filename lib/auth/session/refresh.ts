import { createHash } from "node:crypto";
import * as z from "zod";
import { type SecurityEvent, securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId } from "../../mail/queue-mail.js";
import { roundTrip } from "../../redis/client.js";
import { userFromJson } from "../../user/user.js";
import type { RefreshClaims } from "../token/refresh-token.js";
import { issueTokenPair, type TokenPair } from "../token/token-pair.js";
import type { KeyState } from "./live-session.js";
import { concurrencyPauseSeconds, decideRefresh, type RefreshOutcome } from "./refresh-decision.js";
import { revokeSession } from "./session.js";
import { actingRole, deleteSessionKeys, writeSessionKey } from "./session-keys.js";

export const RefreshRequest = z
  .strictObject({
    refreshToken: z
      .string()
      .max(512)
      .meta({
        examples: [
          "rt1.AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ],
      }),
  })
  .meta({ id: "RefreshRequest" });

export interface RotationRequest {
  /** Created by the client before the call and kept until it has the reply. */
  rotationId: string | null;
  deviceId: string | null;
  keyState: KeyState;
  /** From Redis, in ms; 0 when Redis is down. */
  revokeAllBefore: number;
  /** Treat the session of a normal user as unknown. */
  operatorsOnly?: boolean;
}

/**
 * Rotation with reuse detection (RFC 9700, 4.14.2; docs/decisions/013): reuse revokes the session and mails the owner. Safe to
 * retry with the same Rotation-Id; without one, once in two minutes. Throws `session_revoked`, `session_expired`, `token_invalid`.
 */
export async function refresh(
  ctx: Context,
  claims: RefreshClaims,
  client: RotationRequest,
): Promise<TokenPair> {
  const { sessionId } = claims;
  if (client.keyState === "deleted") {
    await revokeSession(ctx, sessionId, "redis_key_deleted");
    throw new AppError("session_revoked");
  }
  const mailId = newMailId();
  const [decision] = await decideRefresh(ctx.db, {
    sessionId,
    presented: claims.counter,
    rotationIdHash: client.rotationId === null ? null : digest(client.rotationId),
    device: client.deviceId,
    concurrencyPauseSeconds: concurrencyPauseSeconds(ctx.env),
    now: ctx.now.toISOString(),
    revokeAllBefore: new Date(client.revokeAllBefore).toISOString(),
    operatorsOnly: client.operatorsOnly === true,
    mailId,
    correlationId: ctx.correlationId,
  });
  if (!decision) throw new AppError("token_invalid");
  const user = userFromJson(decision.user);
  const event = outcomeEvents[decision.outcome];
  if (event) securityEvent(ctx, event, { userId: user.id, data: { sessionId } });
  switch (decision.outcome) {
    case "expired":
      throw new AppError("session_expired");
    case "reused":
      await deleteSessionKeys(ctx, [sessionId]);
      deliverLater(ctx, mailId);
      throw new AppError("session_revoked");
    case "revoked":
      // A failed delete or a restored Redis snapshot left the key.
      if (client.keyState === "present") await deleteSessionKeys(ctx, [sessionId]);
      throw new AppError("session_revoked");
  }
  const authMethods = decision.auth_methods;
  const toDate = (ms: string) => new Date(Number(ms));
  const createdAt = toDate(decision.created_at);
  const expiresAt = decision.expires_at === null ? null : toDate(decision.expires_at);
  if (client.keyState === "lost") {
    const role = actingRole(user.role, authMethods);
    ctx.after(async () => {
      const trip = roundTrip(ctx);
      const key = { id: sessionId, userId: user.id, role, createdAt, expiresAt };
      await Promise.all([writeSessionKey(trip, key, ctx.now), trip.send()]);
    });
  }
  return issueTokenPair(ctx, user, {
    id: sessionId,
    refreshCounter: decision.refresh_counter,
    authenticatedAt: toDate(decision.authenticated_at),
    authMethods,
    idleExpiresAt: toDate(decision.idle_expires_at),
    expiresAt,
  });
}

const outcomeEvents: Partial<Record<RefreshOutcome, SecurityEvent>> = {
  reused: "token_reuse",
  concurrent: "refresh_concurrent",
  ahead: "refresh_ahead",
};

/** Only the digest is stored: the database must not contain usable Rotation-Ids. */
function digest(rotationId: string): string {
  return createHash("sha256").update(rotationId).digest("base64url").slice(0, 22);
}
