import { sql } from "drizzle-orm";
import { preparedSql } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { epochMsOf } from "../../db/timestamp.js";
import type { Env } from "../../env.js";
import { queueAccountMail } from "../../mail/queue-mail.js";
import { idleTimeoutMs } from "./lifetime.js";
import { recordedRevokeAllBefore } from "./session-status.js";

export type RefreshOutcome =
  | "rotated"
  | "repeated"
  | "concurrent"
  | "ahead"
  | "reused"
  | "expired"
  | "revoked";

/** For clients that send no Rotation-Id. */
const repetitionWindow = sql.raw("interval '120 seconds'");
const concurrencyWindow = sql.raw("interval '10 seconds'");

const pauseSecondsMax = 10 * 60;

/** Between two rotations with concurrent refreshes. Shorter than an access token lives: several tabs refresh when it expires. */
export function concurrencyPauseSeconds({ jwt }: Env): number {
  return Math.min(pauseSecondsMax, Math.floor((jwt.accessTtlSeconds * 2) / 3));
}

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

/** One statement locks the session, decides and writes; `reused` also revokes it and queues the mail. No row if it is unknown. */
export const decideRefresh = preparedSql<Decision>(() => {
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
        make_interval(secs => cast(${sql.placeholder("concurrencyPauseSeconds")} as integer)) as concurrency_pause,
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
          and rotated_at >= now - ${concurrencyWindow}
          and (concurrent_hashes is not null or concurrent_at is null
            or concurrent_at < now - concurrency_pause) then 'concurrent'
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
        concurrent_at = case when outcome = 'concurrent' then now else s.concurrent_at end,
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
