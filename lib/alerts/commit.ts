import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { alertClock, alertSamples, alerts, alertTransitions } from "../db/schema/alerts.js";
import { telemetryGauges } from "../db/schema/telemetry.js";
import { timestamp } from "../db/timestamp.js";
import { seriesName } from "../observability/metrics.js";
import { enqueueFrom } from "../queue/enqueue.js";
import type { Sample } from "./measures.js";
import { alertNoticeKindName, noticeLifeMs, type QueuedAlertNotice } from "./notice.js";
import type { Readings } from "./read-measures.js";
import type { Alert, Transition } from "./state-machine.js";

export interface AlertTransition extends Transition {
  alert: Alert;
}

export interface EvaluationResult {
  changed: Alert[];
  /** Every alert of this environment, inactive ones included. */
  all: Alert[];
  transitions: AlertTransition[];
  notices: QueuedAlertNotice[];
  /** New values of `cron_outage_seconds`. */
  excused: Sample[];
}

const samplesKeptMs = 2 * 3_600_000;

/** Write the result, queue the notices and prune old samples in one statement. False, and no effect, if a concurrent one was first. */
export async function commitEvaluation(
  ctx: Context,
  { clock, due, measures, now }: Readings,
  { changed, all, transitions, notices, excused }: EvaluationResult,
): Promise<boolean> {
  const timestampAt = (at: number) => timestamp(new Date(at));
  const iso = (at: number) => new Date(at).toISOString();
  const samples = due.sampled.flatMap((minute) =>
    (measures.samples.get(minute) ?? []).map((sample) => ({ minute: iso(minute), ...sample })),
  );
  const gauges = [
    ...now.samples.filter(({ series }) => ownGauges.test(series)),
    ...excused,
    ...all.map(({ rule, label, state }) => ({
      series: seriesName("alert_active", { rule, label }),
      value: state === "firing" ? 1 : 0,
    })),
  ];
  const noticeColumns = {
    id: sql`id`,
    payload: sql`payload`,
    correlationId: sql`${ctx.correlationId}`,
    now: timestamp(ctx.now),
    expiresAt: timestampAt(ctx.now.getTime() + noticeLifeMs),
  };
  const { rows } = await ctx.db.execute<{ won: string }>(sql`
    with won as (
      update ${alertClock} set counted_until = ${timestampAt(due.counted.at(-1) ?? clock.countedUntil)},
        sampled_until = ${timestampAt(due.sampled.at(-1) ?? clock.sampledUntil)}
      where name = 'evaluator' and counted_until = ${timestampAt(clock.countedUntil)}
        and sampled_until = ${timestampAt(clock.sampledUntil)}
      returning name),
    moved as (
      insert into ${alerts} (key, rule, label, state, bad_minutes, good_minutes, known_minute, since,
        told_priority, told_channel, detail)
      select given.* from won, ${rowsOf(
        changed.map(({ notifiedAs, ...alert }) => ({
          key: alert.key,
          rule: alert.rule,
          label: alert.label,
          state: alert.state,
          bad_minutes: alert.badMinutes,
          good_minutes: alert.goodMinutes,
          known_minute: iso(alert.knownMinute),
          since: iso(alert.since),
          told_priority: notifiedAs?.priority ?? null,
          told_channel: notifiedAs?.channel ?? null,
          detail: alert.detail,
        })),
        sql`key text, rule text, label text, state text, bad_minutes integer, good_minutes integer,
          known_minute timestamptz, since timestamptz, told_priority text, told_channel text,
          detail text`,
      )}
      on conflict (key) do update set state = excluded.state, bad_minutes = excluded.bad_minutes,
        good_minutes = excluded.good_minutes, known_minute = excluded.known_minute,
        since = excluded.since, told_priority = excluded.told_priority,
        told_channel = excluded.told_channel, detail = excluded.detail),
    changed as (
      insert into ${alertTransitions} (key, minute, rule, label, from_state, to_state, detail)
      select given.* from won, ${rowsOf(
        transitions.map(({ minute, from, to, alert: { key, rule, label, detail } }) => ({
          key,
          minute: iso(minute),
          rule,
          label,
          from_state: from,
          to_state: to,
          detail,
        })),
        sql`key text, minute timestamptz, rule text, label text, from_state text, to_state text,
          detail text`,
      )}
      on conflict (key, minute) do nothing),
    queued as (
      ${enqueueFrom(alertNoticeKindName, noticeColumns, sql`won, ${rowsOf(notices, sql`id uuid, payload jsonb`)}`)}),
    sampled as (
      insert into ${alertSamples} (minute, series, value)
      select given.* from won, ${rowsOf(samples, sql`minute timestamptz, series text, value bigint`)}
      on conflict (minute, series) do nothing),
    measured as (
      insert into ${telemetryGauges} (series, value, measured_at)
      select series, value, ${timestamp(ctx.now)}
      from won, ${rowsOf(gauges, sql`series text, value double precision`)}
      on conflict (series) do update set value = excluded.value, measured_at = excluded.measured_at),
    pruned as (
      delete from ${alertSamples} using won
      where minute < ${timestampAt(ctx.now.getTime() - samplesKeptMs)})
    select count(*) as won from won`);
  return Number(rows[0]?.won) === 1;
}

const ownGauges = /^(probe_failed|external_probe_failed|notice_unsent_seconds|dead_letters)\{/;

function rowsOf(rows: object[], columns: SQL): SQL {
  return sql`jsonb_to_recordset(cast(${JSON.stringify(rows)} as jsonb)) as given (${columns})`;
}
