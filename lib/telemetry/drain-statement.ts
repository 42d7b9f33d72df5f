import { sql } from "drizzle-orm";
import { preparedSql } from "../db/database.js";

interface Moved {
  /** 0 when a concurrent drain has moved the cursor: nothing was written. */
  moved: number;
  events: number;
}

/** Maximum of series in the totals; 40 more are reserved for the `other` series. */
const seriesMax = 4960;

/**
 * Write the entries up to `next` and move the cursor, or nothing when a concurrent drain was first. Entries drained
 * before are skipped. `until` is null when the stream has more entries. A new series beyond the maximum is counted
 * as `other`; a histogram counts as thirteen series. A lower mode waits 90 s, so that a scrape per minute sees the higher.
 */
export const storeEntries = preparedSql<Moved>(
  () => sql`
with moved as (
  update drain_state
  set cursor = cast(${sql.placeholder("next")} as text),
    drained_until = greatest(drained_until, cast(${sql.placeholder("until")} as timestamptz))
  where name = 'events' and cursor = cast(${sql.placeholder("cursor")} as text)
  returning 1
), entry as materialized (
  select e.* from jsonb_to_recordset(cast(${sql.placeholder("entries")} as jsonb)) as e
    (instance text, seq bigint, release text, events integer, counters jsonb, lines jsonb, mode integer)
  where exists (select 1 from moved)
), batch as (
  insert into drained_batches (instance, seq, events)
  select distinct on (instance, seq) instance, seq, events from entry order by instance, seq
  on conflict do nothing
  returning instance, seq, events
), fresh as materialized (
  select distinct on (instance, seq) entry.* from entry join batch using (instance, seq)
  order by instance, seq
), logged as (
  insert into access_log (at, count, one_in, correlation_id, route, method, status, code, duration_ms,
    user_hash, ip_prefix, limits, external_calls, token_failure, security_events, app_version, release)
  select to_timestamp(l.at / 1000.0), l.n, coalesce(l."oneIn", 1), l.id, l.route, l.method, l.status,
    l.code, l.ms, l."user", l.ip, l.limits, l.calls, l.token, l.security, l.app, fresh.release
  from fresh cross join lateral jsonb_to_recordset(fresh.lines) as l
    (at double precision, n integer, "oneIn" integer, id text, route text, method text, status integer,
     code text, ms double precision, "user" text, ip text, limits jsonb, calls jsonb, token text,
     security jsonb, app text)
), added as materialized (
  select to_timestamp(cast(minute.key as double precision) / 1000) as minute, counter.key as series,
    sum(cast(counter.value as bigint)) as value,
    regexp_replace(regexp_replace(counter.key, '_(bucket|sum)(?=[{]|$)', '_count'), ',?le="[^"]*"', '')
      as family
  from fresh cross join lateral jsonb_each(fresh.counters) as minute
    cross join lateral jsonb_each_text(minute.value) as counter
  group by 1, 2
), unknown as materialized (
  select distinct family from added
  where not exists (select 1 from telemetry_totals where telemetry_totals.series = added.family)
), refused as materialized (
  select family from (
    select family, sum(case when family ~ '_count([{]|$)' then 13 else 1 end) over (order by family)
      as wanted
    from unknown) as queue
  where wanted > ${sql.raw(String(seriesMax))} - (
    select coalesce(sum(case when series ~ '_count([{]|$)' then 13
      when series ~ '_(bucket|sum)([{]|$)' then 0 else 1 end), 0)
    from telemetry_totals where series !~ '="other"[,}]')
), placed as materialized (
  select minute, value, case when exists (select 1 from refused where refused.family = added.family)
    then regexp_replace(series, '([{,])(?!le=)([a-z_]+)="[^"]*"', '\\1\\2="other"', 'g')
    else series end as series
  from added
), minutes as (
  insert into telemetry_minutes (minute, series, value)
  select minute, series, sum(value) from placed group by minute, series
  on conflict (minute, series) do update set value = telemetry_minutes.value + excluded.value
), totals as (
  insert into telemetry_totals (series, value)
  select series, sum(value) from placed group by series
  on conflict (series) do update set value = telemetry_totals.value + excluded.value
), gauges as (
  insert into telemetry_gauges (series, value, measured_at)
  select series, value, clock_timestamp() from (values
    ('telemetry_mode', cast((select coalesce(max(mode), 0) from fresh) as double precision)),
    ('telemetry_drain_lag_seconds', cast(${sql.placeholder("lag")} as double precision)))
    as gauge (series, value)
  where exists (select 1 from moved)
  on conflict (series) do update set value = excluded.value, measured_at = excluded.measured_at
  where telemetry_gauges.series <> 'telemetry_mode' or excluded.value >= telemetry_gauges.value
    or telemetry_gauges.measured_at <= clock_timestamp() - interval '90 seconds'
)
select cast((select count(*) from moved) as integer) as moved,
  cast((select coalesce(sum(events), 0) from batch) as integer) as events`,
);
