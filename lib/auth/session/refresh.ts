import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import * as z from "zod";
import { type SecurityEvent, securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { preparedSql } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { msOf } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, queueNotice } from "../../mail/outbox.js";
import { roundTrip } from "../../redis/client.js";
import { userFromJson } from "../../user/user.js";
import type { RefreshClaims } from "../token/refresh-token.js";
import { issueTokenPair, type TokenPair } from "../token/token-pair.js";
import { idleMs } from "./lifetime.js";
import { recordedRevokeAllBefore } from "./live-record.js";
import type { KeyState } from "./live-session.js";
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

/** What tells a repetition of a call from a theft of its token. */
export interface RotationClient {
  /** The header `Rotation-Id`: made by the client before the call, and kept until it has the reply. */
  rotationId: string | null;
  /** The header `Device-Id`. */
  deviceId: string | null;
  /** What Redis said of the session's keys. */
  keyState: KeyState;
  /** What Redis said of the moment before which every session has ended, in ms. */
  revokeAllBefore: number;
  /** True where the session of an account that does not operate is as unknown as one that does not exist. */
  operatorsOnly?: boolean;
}

/** For clients that send no Rotation-Id. */
const blindRepetition = sql.raw("interval '120 seconds'");
const concurrency = sql.raw("interval '10 seconds'");

/**
 * Exchange a refresh token for its successor: rotation with reuse detection (RFC 9700, 4.14.2).
 *
 * Repeating a call whose reply was lost is safe: with the same Rotation-Id for as long as the session
 * lives, without one for two minutes. A token that was used before ends its session, for somebody else
 * has it: `session_revoked`, as for a session that has ended; `session_expired` for one that lay idle
 * too long; `token_invalid` for one that is unknown.
 */
export async function refresh(
  ctx: Context,
  claims: RefreshClaims,
  client: RotationClient,
): Promise<TokenPair> {
  const { sessionId } = claims;
  if (client.keyState === "deleted") {
    await revokeSession(ctx, sessionId, "redis_key_deleted");
    throw new AppError("session_revoked");
  }
  const noticeId = newMailId();
  const [decision] = await decide(ctx.db, {
    sessionId,
    presented: claims.counter,
    given: client.rotationId === null ? null : digest(client.rotationId),
    device: client.deviceId,
    now: ctx.now.toISOString(),
    revokeAllBefore: new Date(client.revokeAllBefore).toISOString(),
    operatorsOnly: client.operatorsOnly === true,
    noticeId,
    correlationId: ctx.correlationId,
  });
  if (!decision) throw new AppError("token_invalid");
  const user = userFromJson(decision.user);
  const event = events[decision.outcome];
  if (event) securityEvent(ctx, event, { userId: user.id, data: { sessionId } });
  switch (decision.outcome) {
    case "expired":
      throw new AppError("session_expired");
    case "reused":
      await deleteSessionKeys(ctx, [sessionId]);
      deliverLater(ctx, noticeId);
      throw new AppError("session_revoked");
    case "revoked":
      // Its key is there when a delete failed, or when an older copy of Redis returned.
      if (client.keyState === "present") await deleteSessionKeys(ctx, [sessionId]);
      throw new AppError("session_revoked");
  }
  const authMethods = decision.auth_methods;
  const moment = (ms: string) => new Date(Number(ms));
  const createdAt = moment(decision.created_at);
  const expiresAt = decision.expires_at === null ? null : moment(decision.expires_at);
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
    authenticatedAt: moment(decision.authenticated_at),
    authMethods,
    idleExpiresAt: moment(decision.idle_expires_at),
    expiresAt,
  });
}

type Outcome = "rotated" | "repeated" | "concurrent" | "ahead" | "reused" | "expired" | "revoked";

const events: Partial<Record<Outcome, SecurityEvent>> = {
  reused: "token_reuse",
  concurrent: "refresh_concurrent",
  ahead: "refresh_ahead",
};

/** Moments are in ms. */
interface Decision {
  outcome: Outcome;
  refresh_counter: number;
  auth_methods: string[];
  authenticated_at: string;
  created_at: string;
  idle_expires_at: string;
  expires_at: string | null;
  user: unknown;
}

/**
 * One statement reads, decides and writes, and begins by locking the row: of two calls at once the
 * second decides on what the first has written. Reuse commits the revocation and its notice together.
 */
const decide = preparedSql<Decision>(() => {
  const notice = queueNotice(
    {
      id: sql.placeholder("noticeId"),
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
        cast(${sql.placeholder("given")} as text) as given,
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
        when given = rotation_hash or given = any(concurrent_hashes) then 'repeated'
        when given is null and rotation_hash is null and rotated_at >= now - ${blindRepetition}
          and (repeated_counter = presented or repeated_at is null
            or repeated_at < now - ${blindRepetition}) then 'repeated'
        when given is not null and device = rotated_device
          and rotated_at >= now - ${concurrency} then 'concurrent'
        else 'reused'
      end as outcome
      from locked
    ), decided as (
      select *, outcome in ('rotated', 'ahead') as rotates,
        case when is_guest then ${interval(idleMs(true))} else ${interval(idleMs(false))} end as idle
      from judged
    ), changed as (
      update ${sessions} s set
        refresh_counter = case when rotates then presented + 1 else s.refresh_counter end,
        rotation_hash = case when rotates then given else s.rotation_hash end,
        rotated_device = case when rotates then device else s.rotated_device end,
        rotated_at = case when rotates then now else s.rotated_at end,
        last_seen_at = case when rotates then now else s.last_seen_at end,
        idle_expires_at = case when rotates then now + idle else s.idle_expires_at end,
        concurrent_hashes = case when rotates then null
          when outcome = 'concurrent' then array_append(s.concurrent_hashes, given)
          else s.concurrent_hashes end,
        repeated_at = case when outcome = 'repeated' then now else s.repeated_at end,
        repeated_counter = case when outcome = 'repeated' then presented
          else s.repeated_counter end,
        revoked_at = case when outcome = 'reused' then now end,
        revoked_reason = case when outcome = 'reused' then 'token_reuse' end
      from decided d
      where s.id = d.id
        and (rotates or outcome in ('concurrent', 'reused') or outcome = 'repeated' and given is null)
      returning s.id, s.user_id, s.refresh_counter, s.idle_expires_at, d.outcome, d.now
    ), noticed as (
      ${notice}
    )
    select d.outcome, coalesce(c.refresh_counter, d.refresh_counter) as refresh_counter,
      d.auth_methods, ${msOf(sql`d.authenticated_at`)} as authenticated_at,
      ${msOf(sql`d.created_at`)} as created_at, ${msOf(sql`d.expires_at`)} as expires_at,
      ${msOf(sql`coalesce(c.idle_expires_at, d.idle_expires_at)`)} as idle_expires_at,
      row_to_json(u) as user
    from decided d
    join ${users} u on u.id = d.user_id
    left join changed c on c.id = d.id`;
});

const interval = (ms: number) => sql.raw(`interval '${ms} milliseconds'`);

/** Only its digest is kept: a Rotation-Id in the database is of no use to whoever reads it. */
function digest(rotationId: string): string {
  return createHash("sha256").update(rotationId).digest("base64url").slice(0, 22);
}
