import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { alertClock, alertSamples, alertSilences, alerts } from "../db/schema/alerts.js";
import { queueEntries } from "../db/schema/queue.js";
import { drainState, telemetryGauges } from "../db/schema/telemetry.js";
import { epochMsOf, timestamp, timestampOfMs } from "../db/timestamp.js";
import { mailKindName } from "../mail/queue-mail.js";
import { type MetricName, seriesName } from "../observability/metrics.js";
import { isOpen } from "../queue/claim.js";
import { isDead, isJob } from "../queue/dead-letters.js";
import { measuredEachMinute, staleSeconds } from "../telemetry/metrics/read-series.js";
import { type Measures, minuteMs, partsOf, type Sample } from "./measures.js";
import { alertNoticeKindName, isOwnKey } from "./notice.js";
import type { Probes } from "./probes.js";
import { readCounts } from "./read-counts.js";
import type { Channel } from "./rule.js";
import { rules } from "./rules.js";
import type { Alert, State } from "./state-machine.js";

/** Missed minutes are evaluated late, at most this many. */
const catchUpMinutes = 15;

/** Minutes are in ms. */
export interface Readings {
  measures: Measures;
  due: { counted: number[]; sampled: number[] };
  /** The evaluator's clock as read; the commit fails if it has moved. */
  clock: { countedUntil: number; sampledUntil: number };
  now: { minute: number; samples: Sample[] };
  alerts: Alert[];
  silenced: ReadonlySet<string>;
  /** Everything added to the stream before this time is in the tables. */
  drainedUntil: number;
}

/** Reads only. A gauge that is measured each minute, but was not, is no data; others are used at any age. */
export async function readMeasures(ctx: Context, probes: Probes): Promise<Readings> {
  const minute = Math.floor(ctx.now.getTime() / minuteMs) * minuteMs;
  const [clocks, states, silences, gauges, before, unsent, dead] = await ctx.db.batch([
    ctx.db.execute<Record<"counted" | "sampled" | "drained", string>>(sql`
      select ${epochMsOf(sql`clock.counted_until`)} as counted, ${epochMsOf(sql`clock.sampled_until`)} as sampled,
        ${epochMsOf(sql`drained_until`)} as drained
      from ${alertClock} as clock, ${drainState}
      where clock.name = 'evaluator' and ${drainState.name} = 'events'`),
    ctx.db.select().from(alerts).where(isOwnKey(ctx, alerts.key)),
    ctx.db
      .select({ rule: alertSilences.rule })
      .from(alertSilences)
      .where(sql`${alertSilences.until} > ${timestamp(ctx.now)}`),
    ctx.db.execute<{ series: string; value: string }>(sql`
      select series, cast(floor(value) as numeric) as value from ${telemetryGauges}
      where split_part(series, '{', 1) = any(${textArray(readGauges)})
        and (split_part(series, '{', 1) <> all(${textArray(measuredEachMinute)})
          or measured_at > now() - make_interval(secs => ${staleSeconds}))`),
    ctx.db.execute<{ minute: string; series: string; value: string }>(sql`
      select ${epochMsOf(sql`minute`)} as minute, series, value from ${alertSamples}
      where minute > ${timestampOfMs(minute - catchUpMinutes * minuteMs)}
        and minute < ${timestampOfMs(minute)}`),
    ctx.db.execute<{ channel: Channel; oldest: string }>(sql`
      select payload ->> 'channel' as channel, ${epochMsOf(sql`min(created_at)`)} as oldest
      from ${queueEntries}
      where kind = ${alertNoticeKindName} and (${isOpen} or ${isDead})
        and expires_at > ${timestamp(ctx.now)}
        and payload ->> 'rule' <> 'PagerUndelivered'
      group by 1`),
    ctx.db.execute<{ queue: string; count: number }>(sql`
      select 'jobs' as queue, cast(count(*) as integer) as count
      from ${queueEntries} where ${isJob} and dead_at > ${dayBefore(ctx)}
      union all
      select 'mail', cast(count(*) as integer)
      from ${queueEntries} where kind = ${mailKindName} and dead_at > ${dayBefore(ctx)}`),
  ]);
  const read = clocks.rows[0];
  if (!read) throw new Error("Missing row in alert_clock or drain_state.");
  const drainedUntil = Number(read.drained);
  const clock = { countedUntil: Number(read.counted), sampledUntil: Number(read.sampled) };
  const closed = Math.min(Math.floor(drainedUntil / minuteMs), minute / minuteMs) * minuteMs;
  const due = {
    counted: minutesAfter(clock.countedUntil, closed - minuteMs),
    sampled: minutesAfter(clock.sampledUntil, minute),
  };
  const waiting = new Map(
    unsent.rows.map(({ channel, oldest }) => [channel, Number(oldest)] as const),
  );
  const nowSamples = [
    ...gauges.rows.map(({ series, value }) => ({ series, value: Number(value) })),
    ...ownGauges(ctx, { probes, drainedUntil, waiting }),
    ...dead.rows.map(({ queue, count }) => ({
      series: seriesName("dead_letters", { queue }),
      value: count,
    })),
  ];
  const samples = new Map<number, Sample[]>([[minute, nowSamples]]);
  for (const row of before.rows) {
    const at = Number(row.minute);
    samples.set(at, [...(samples.get(at) ?? []), { series: row.series, value: Number(row.value) }]);
  }
  const countedUntil = closed - minuteMs;
  const first = Math.min(
    due.counted[0] ?? countedUntil,
    (due.sampled[0] ?? minute) - minuteMs,
    countedUntil,
  );
  const counted = await readCounts(ctx, first, countedUntil);
  return {
    measures: { ...counted, countedUntil, samples },
    due,
    clock,
    now: { minute, samples: nowSamples },
    alerts: states.map(alertOf),
    silenced: new Set(silences.map(({ rule }) => rule)),
    drainedUntil,
  };
}

const ownMetrics: ReadonlySet<MetricName> = new Set([
  "probe_failed",
  "external_probe_failed",
  "telemetry_drain_lag_seconds",
  "notice_unsent_seconds",
  "dead_letters",
]);

const readGauges = [
  ...new Set(
    rules.flatMap(({ condition }) =>
      partsOf(condition).flatMap((part) => [
        ...("metric" in part ? [part.metric] : []),
        ...("since" in part ? [part.since, part.excused] : []),
      ]),
    ),
  ),
].filter((metric) => !ownMetrics.has(metric));

function ownGauges(
  ctx: Context,
  from: { probes: Probes; drainedUntil: number; waiting: Map<Channel, number> },
): Sample[] {
  const nowMs = ctx.now.getTime();
  const seconds = (since: number) => Math.max(0, Math.floor((nowMs - since) / 1000));
  const { stores, services } = from.probes;
  return [
    ...Object.entries(stores).map(([probe, failed]) => ({
      series: seriesName("probe_failed", { probe }),
      value: Number(failed),
    })),
    ...Object.entries(services).map(([service, failed]) => ({
      series: seriesName("external_probe_failed", { service }),
      value: Number(failed),
    })),
    { series: seriesName("telemetry_drain_lag_seconds"), value: seconds(from.drainedUntil) },
    ...(["page", "team", "investigate"] as const).map((channel) => ({
      series: seriesName("notice_unsent_seconds", { channel }),
      value: seconds(from.waiting.get(channel) ?? nowMs),
    })),
  ];
}

function minutesAfter(done: number, until: number): number[] {
  const minutes: number[] = [];
  const first = Math.max(done + minuteMs, until - (catchUpMinutes - 1) * minuteMs);
  for (let at = first; at <= until; at += minuteMs) minutes.push(at);
  return minutes;
}

function alertOf(row: typeof alerts.$inferSelect): Alert {
  const { toldPriority, toldChannel, knownMinute, since, state, ...rest } = row;
  return {
    ...rest,
    state: state as State,
    knownMinute: knownMinute.getTime(),
    since: since.getTime(),
    notifiedAs:
      toldPriority && toldChannel
        ? ({ priority: toldPriority, channel: toldChannel } as Alert["notifiedAs"])
        : null,
  };
}

const dayBefore = ({ now }: Context) => timestampOfMs(now.getTime() - 24 * 3_600_000);

function textArray(values: readonly string[]): SQL {
  return sql`cast(array[${sql.join(
    values.map((value) => sql`${value}`),
    sql`, `,
  )}] as text[])`;
}
