import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { preparedSql } from "../../db/database.js";
import { type MetricName, seriesName } from "../../observability/metrics.js";
import { roundTrip } from "../../redis/client.js";
import { readGate } from "../../redis/gate.js";
import { orNull } from "../../redis/round-trip.js";
import { breakerState, positionGauge, positionOf } from "../../toolkit/breaker/state.js";
import { version } from "../../version.js";

/** All series except stale gauges; the breaker's live state if Redis answers. One call to each store. Rejects without Postgres. */
export async function readSeries(ctx: Context): Promise<Map<string, number>> {
  const trip = roundTrip();
  const answer = readGate(trip);
  const [rows] = await Promise.all([recorded(ctx.db, {}), trip.send()]);
  const gate = orNull(answer);
  const series = new Map<string, number>();
  for (const { series: name, value, age } of rows) {
    if (!isStale(name, Number(age))) series.set(name, Number(value));
  }
  series.set(seriesName("build_info", { version, sha: ctx.env.release.sha }), 1);
  if (gate) {
    const position = positionOf(breakerState(gate.toolkitBreaker), ctx.now.getTime());
    series.set(
      seriesName("circuit_breaker_state", { service: "toolkit" }),
      positionGauge[position],
    );
  }
  return series;
}

const recorded = preparedSql<{ series: string; value: string; age: string | null }>(
  () => sql`
    select series, value::text, null as age from telemetry_totals
    union all
    select series, value::numeric::text, extract(epoch from now() - measured_at)::text
    from telemetry_gauges where series <> 'telemetry_drain_lag_seconds'
    union all
    select 'telemetry_drain_lag_seconds',
      greatest(0, extract(epoch from now() - drained_until))::text, null
    from drain_state where name = 'events'`,
);

/** An older value is left out, so that a graph shows a gap instead of a stale line. */
export const measuredEachMinute: readonly string[] = [
  "active_sessions",
  "account_deletions_pending",
  "account_deletions_overdue",
  "alert_active",
  "circuit_breaker_state",
  "telemetry_mode",
  "probe_failed",
  "external_probe_failed",
  "notice_unsent_seconds",
  "dead_letters",
] satisfies MetricName[];

export const staleSeconds = 300;

function isStale(series: string, ageSeconds: number): boolean {
  return ageSeconds > staleSeconds && measuredEachMinute.includes(series.replace(/\{.*/s, ""));
}
