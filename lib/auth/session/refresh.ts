import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import * as z from "zod";
import { type SecurityEvent, securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { preparedSql } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { epochMsOf } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, queueAccountMail } from "../../mail/queue-mail.js";
import { roundTrip } from "../../redis/client.js";
import { userFromJson } from "../../user/user.js";
import type { RefreshClaims } from "../token/refresh-token.js";
import { issueTokenPair, type TokenPair } from "../token/token-pair.js";
import { idleTimeoutMs } from "./lifetime.js";
import type { KeyState } from "./live-session.js";
import { revokeSession } from "./session.js";
import { actingRole, deleteSessionKeys, writeSessionKey } from "./session-keys.js";
import { recordedRevokeAllBefore } from "./session-status.js";

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
  /** As read from Redis, in ms. */
  revokeAllBefore: number;
  /** Treat the session of a normal user as unknown. */
  operatorsOnly?: boolean;
}

/** For clients that send no Rotation-Id. */
const repetitionWindow = sql.raw("interval '120 seconds'");
const concurrencyWindow = sql.raw("interval '10 seconds'");

/**
 * Rotation with reuse detection (RFC 9700, 4.14.2; docs/decisions/013). Safe to retry with the same
 * Rotation-Id, or within two minutes. Throws `session_revoked`, `session_expired`, `token_invalid`.
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
  const [decision] = await decide(ctx.db, {
    sessionId,
    presented: claims.counter,
    rotationIdHash: client.rotationId === null ? null : digest(client.rotationId),
    device: client.deviceId,
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

type RefreshOutcome =
  | "rotated"
  | "repeated"
  | "concurrent"
  | "ahead"
  | "reused"
  | "expired"
  | "revoked";

const outcomeEvents: Partial<Record<RefreshOutcome, SecurityEvent>> = {
  reused: "token_reuse",
  concurrent: "refresh_concurrent",
  ahead: "refresh_ahead",
};

interface Decision {
  outcome: RefreshOutcome;
  refresh_counter: number;
  auth_methods: string[];
  authenticated_at: string;
  created_at: string;
  idle_expires_at: string;
  expires_at: string | null;
  user: unknown;
}

/** One statement locks the row, decides and writes, so that concurrent calls see each other's result. */
const decide = preparedSql<Decision>(() => {
  const mail = queueAccountMail(
    {
      id: sql.placeholder("mailId"),
      correlationId: sql.placeholder("correlationId"),
      now: sql`now`,
      template: "token_reuse",
    },
    sql`changed where outcome = 'reused'`,
  );
  return sql`
    with input as (
      select cast(${sql.placeholder("sessionId")} as text) as session_id,
        cast(${sql.placeholder("presented")} as integer) as presented,
        cast(${sql.placeholder("rotationIdHash")} as text) as rotation_id_hash,
        cast(${sql.placeholder("device")} as text) as device,
        cast(${sql.placeholder("now")} as timestamptz) as now,
        cast(${sql.placeholder("revokeAllBefore")} as timestamptz) as redis_revoke_all_before
    ), locked as (
      select s.*, i.*, u.is_guest,
        u.suspended_at is not null or u.purge_at is not null as is_closed,
        greatest(${recordedRevokeAllBefore}, redis_revoke_all_before)
          as revoke_all_before
      from input i
      join ${sessions} s on s.id = i.session_id
      join ${users} u on u.id = s.user_id
        and (u.role <> 'user' or not cast(${sql.placeholder("operatorsOnly")} as boolean))
      for update of s
    ), judged as (
      select *, case
        when revoked_at is not null or is_closed or created_at < revoke_all_before then 'revoked'
        when least(idle_expires_at, expires_at) <= now then 'expired'
        when presented = refresh_counter then 'rotated'
        when presented > refresh_counter then 'ahead'
        when presented < refresh_counter - 1 then 'reused'
        when rotation_id_hash = rotation_hash or rotation_id_hash = any(concurrent_hashes) then 'repeated'
        when rotation_id_hash is null and rotation_hash is null and rotated_at >= now - ${repetitionWindow}
          and (repeated_counter = presented or repeated_at is null
            or repeated_at < now - ${repetitionWindow}) then 'repeated'
        when rotation_id_hash is not null and device = rotated_device
          and rotated_at >= now - ${concurrencyWindow} then 'concurrent'
        else 'reused'
      end as outcome
      from locked
    ), decided as (
      select *, outcome in ('rotated', 'ahead') as rotates,
        case when is_guest then ${interval(idleTimeoutMs(true))} else ${interval(idleTimeoutMs(false))} end as idle
      from judged
    ), changed as (
      update ${sessions} s set
        refresh_counter = case when rotates then presented + 1 else s.refresh_counter end,
        rotation_hash = case when rotates then rotation_id_hash else s.rotation_hash end,
        rotated_device = case when rotates then device else s.rotated_device end,
        rotated_at = case when rotates then now else s.rotated_at end,
        last_seen_at = case when rotates then now else s.last_seen_at end,
        idle_expires_at = case when rotates then now + idle else s.idle_expires_at end,
        concurrent_hashes = case when rotates then null
          when outcome = 'concurrent' then array_append(s.concurrent_hashes, rotation_id_hash)
          else s.concurrent_hashes end,
        repeated_at = case when outcome = 'repeated' then now else s.repeated_at end,
        repeated_counter = case when outcome = 'repeated' then presented
          else s.repeated_counter end,
        revoked_at = case when outcome = 'reused' then now end,
        revoked_reason = case when outcome = 'reused' then 'token_reuse' end
      from decided d
      where s.id = d.id
        and (rotates or outcome in ('concurrent', 'reused') or outcome = 'repeated' and rotation_id_hash is null)
      returning s.id, s.user_id, s.refresh_counter, s.idle_expires_at, d.outcome, d.now
    ), noticed as (
      ${mail}
    )
    select d.outcome, coalesce(c.refresh_counter, d.refresh_counter) as refresh_counter,
      d.auth_methods, ${epochMsOf(sql`d.authenticated_at`)} as authenticated_at,
      ${epochMsOf(sql`d.created_at`)} as created_at, ${epochMsOf(sql`d.expires_at`)} as expires_at,
      ${epochMsOf(sql`coalesce(c.idle_expires_at, d.idle_expires_at)`)} as idle_expires_at,
      row_to_json(u) as user
    from decided d
    join ${users} u on u.id = d.user_id
    left join changed c on c.id = d.id`;
});

const interval = (ms: number) => sql.raw(`interval '${ms} milliseconds'`);

/** Only the digest is stored: the database must not contain usable Rotation-Ids. */
function digest(rotationId: string): string {
  return createHash("sha256").update(rotationId).digest("base64url").slice(0, 22);
}
