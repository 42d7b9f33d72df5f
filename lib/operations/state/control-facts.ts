import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { keyId } from "../../crypto/secret.js";
import { isoOf } from "../../db/timestamp.js";
import { oneValue } from "./one-value.js";

export interface ControlFacts {
  /** Days in UTC: `2026-01-31`. The log exists since the migration that created it. */
  accessLog: { first: string | null; days: number; today: string; existsSince: string | null };
  newestSealAt: string | null;
  /** When the last seal with another key than the current one was made, and the first seal. */
  dataKey: { otherUntil: string | null; firstSealAt: string | null };
  audit: { isBroken: boolean; at: string } | null;
  backups: { checkedAt: string | null; measured: Record<string, number> };
  /** Not revoked and not expired. */
  operatorTokens: number;
}

/** One Postgres call, by indexes or over small tables. */
export function readControlFacts(ctx: Context): Promise<ControlFacts> {
  const current = keyId(ctx.env.dataKeys[0] ?? "");
  const day = (value: string) => sql.raw(`to_char(${value}, 'YYYY-MM-DD')`);
  return oneValue<ControlFacts>(
    ctx,
    sql`select json_build_object(
      'accessLog', (
        select json_build_object('first', ${day("min(day)")}, 'days', count(*),
          'today', ${day("now() at time zone 'UTC'")},
          'existsSince', (select ${day("applied_at at time zone 'UTC'")}
            from schema_migrations where name = '0008_create_telemetry'))
        from (select to_date(right(relname, 8), 'YYYYMMDD') as day
          from pg_inherits join pg_class on pg_class.oid = inhrelid
          where inhparent = 'access_log'::regclass and relname ~ '^access_log_[0-9]{8}$') as days
        where day <= cast(now() at time zone 'UTC' as date)),
      'newestSealAt', (select ${isoOf(sql`at`)} from audit_seals order by last_id desc limit 1),
      'dataKey', json_build_object(
        'otherUntil', (select ${isoOf(sql`at`)} from audit_seals where key_id <> ${current}
          order by last_id desc limit 1),
        'firstSealAt', (select ${isoOf(sql`at`)} from audit_seals order by last_id limit 1)),
      'audit', (select json_build_object('isBroken', value <> 0, 'at', ${isoOf(sql`measured_at`)})
        from telemetry_gauges where series = 'audit_chain_broken'),
      'backups', (
        select json_build_object(
          'checkedAt', ${isoOf(sql`to_timestamp(max(value) filter (where series = 'backup_last_check_timestamp_seconds'))`)},
          'measured', coalesce(json_object_agg(series, value), '{}'))
        from telemetry_gauges where starts_with(series, 'backup_')),
      'operatorTokens', (select count(*) from operator_tokens
        where revoked_at is null and expires_at > now())
    ) as value`,
  );
}
