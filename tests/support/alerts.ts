import { afterAll, beforeAll, beforeEach } from "vitest";
import { type PagerDutyEndpoint, startPagerDutyEndpoint } from "../../dev/pagerduty-endpoint.js";
import { startWebhookEndpoint, type WebhookEndpoint } from "../../dev/webhook-endpoint.js";
import { forgetOutage } from "../../lib/alerts/database-down.js";
import { deliverNotices } from "../../lib/alerts/deliver-notices.js";
import { type EvaluationCounts, evaluateAlerts } from "../../lib/alerts/evaluate.js";
import type { Context } from "../../lib/context.js";
import { seriesName } from "../../lib/observability/metrics.js";
import { aContext } from "./context.js";
import { setEnvironment } from "./environment.js";
import type { Stores } from "./stores.js";
import { useToolkit } from "./toolkit.js";

/** The increases of the counters in a minute, by series. */
export type Counts = Record<string, number>;

/** Simulates alerts over time. Minutes are numbered from the one in which the test starts. */
export interface AlertWorld {
  pager: PagerDutyEndpoint;
  team: WebhookEndpoint;
  investigate: WebhookEndpoint;
  toolkit: ReturnType<typeof useToolkit>;
  /** A context a few seconds after the end of a minute. */
  after(minute: number): Context;
  /** Write the drained counts of a minute. */
  count(minute: number, counts: Counts): Promise<void>;
  gauge(series: string, value: number): Promise<void>;
  /** End a minute: write its counts, evaluate the alerts and deliver the notices. */
  endMinute(minute: number, counts?: Counts): Promise<EvaluationCounts>;
  /**
   * End the minutes from `first` until before `end`, with one evaluation of all (at most 15) after the last.
   * Counts are evaluated for each minute, gauges for the last one only.
   */
  endMinutes(first: number, end: number, counts?: Counts): Promise<EvaluationCounts>;
  /** The changes of state of a rule, oldest first, as `minute from→to`. */
  transitions(rule: string): Promise<string[]>;
  firing(): Promise<string[]>;
  /** The number of unsent notices. */
  unsent(): Promise<number>;
}

export function useAlerts(stores: Stores, environment: Record<string, string> = {}): AlertWorld {
  const toolkit = useToolkit();
  const world = {} as { pager: PagerDutyEndpoint; team: WebhookEndpoint; other: WebhookEndpoint };
  let begin = 0;
  beforeAll(async () => {
    world.pager = await startPagerDutyEndpoint();
    world.team = await startWebhookEndpoint();
    world.other = await startWebhookEndpoint();
  });
  afterAll(async () => {
    for (const endpoint of [world.pager, world.team, world.other]) await endpoint.close();
  });
  beforeEach(async () => {
    for (const endpoint of [world.pager, world.team, world.other]) {
      endpoint.forget();
      endpoint.fail(null);
    }
    setEnvironment({
      EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
      PAGERDUTY_ROUTING_KEY: world.pager.routingKey,
      PAGERDUTY_URL: world.pager.url,
      ALERT_WEBHOOK_URL: world.team.url,
      ALERT_INVESTIGATE_WEBHOOK_URL: world.other.url,
      ...environment,
    });
    begin = Math.floor(Date.now() / 60_000) * 60_000;
    await forgetOutage();
    for (const table of ["alerts", "alert_transitions", "alert_samples", "alert_silences"]) {
      await stores.sql(`delete from ${table}`);
    }
    await stores.sql("delete from telemetry_minutes");
    await stores.sql("delete from telemetry_gauges");
    await stores.sql("delete from queue_entries");
    await stores.sql(
      "update alert_clock set counted_until = $1, sampled_until = $1",
      new Date(begin - 60_000).toISOString(),
    );
    await stores.sql(
      "update drain_state set drained_until = $1 where name = 'events'",
      new Date(begin).toISOString(),
    );
  });

  const at = (minute: number) => new Date(begin + minute * 60_000);
  const after = (minute: number) => ({
    ...aContext(),
    now: new Date(at(minute + 1).getTime() + 5000),
  });

  const count = (minute: number, counts: Counts) => countMinutes(minute, minute + 1, counts);

  async function countMinutes(first: number, end: number, counts: Counts) {
    await stores.sql(
      `insert into telemetry_minutes select minute, key, cast(value as bigint)
       from jsonb_each_text(cast($3 as jsonb)),
         generate_series(cast($1 as timestamptz), cast($2 as timestamptz), '1 minute') as minute
       on conflict (minute, series) do update set value = telemetry_minutes.value + excluded.value`,
      at(first).toISOString(),
      at(end - 1).toISOString(),
      JSON.stringify(counts),
    );
    await stores.sql(
      "update drain_state set drained_until = greatest(drained_until, $1) where name = 'events'",
      at(end).toISOString(),
    );
  }

  async function endMinutes(first: number, end: number, counts = requests(100)) {
    await countMinutes(first, end, counts);
    const ctx = after(end - 1);
    const evaluated = await evaluateAlerts(ctx);
    await stores.settled();
    await deliverNotices(ctx);
    return evaluated;
  }

  return {
    get pager() {
      return world.pager;
    },
    get team() {
      return world.team;
    },
    get investigate() {
      return world.other;
    },
    toolkit,
    after,
    count,
    async gauge(series, value) {
      await stores.sql(
        `insert into telemetry_gauges values ($1, $2, now())
         on conflict (series) do update set value = excluded.value`,
        series,
        String(value),
      );
    },
    endMinute: (minute, counts) => endMinutes(minute, minute + 1, counts),
    endMinutes,
    async transitions(rule) {
      const rows = await stores.sql(
        `select extract(epoch from minute) as seconds, from_state, to_state
         from alert_transitions where rule = $1 order by minute`,
        rule,
      );
      return rows.map(({ seconds, from_state, to_state }) => {
        const minute = (Number(seconds) * 1000 - begin) / 60_000;
        return `${minute} ${from_state}→${to_state}`;
      });
    },
    async firing() {
      const rows = await stores.sql("select key from alerts where state = 'firing' order by key");
      return rows.map(({ key }) => (key ?? "").replace(/^test:/, ""));
    },
    async unsent() {
      const [row] = await stores.sql("select count(*) from queue_entries where kind = 'notice'");
      return Number(row?.count);
    },
  };
}

/** Counts of requests: how many in total, failed (503 with a code), over 1 s and over 2 s. */
export function requests(
  all: number,
  { failed = 0, code = "service_unavailable", over1s = 0, over2s = 0, route = "/api/user" } = {},
): Counts {
  const method = "GET";
  const bucket = (le: string) =>
    seriesName("http_request_duration_seconds", { route, le }, "_bucket");
  const counts = {
    [seriesName("http_requests_total", { route, method, status: "200" })]: all - failed,
    [seriesName("http_requests_total", { route, method, status: "503" })]: failed,
    [seriesName("http_errors_total", { route, code })]: failed,
    [seriesName("http_request_duration_seconds", { route }, "_count")]: all,
    [bucket("1")]: all - over1s - over2s,
    [bucket("2")]: all - over2s,
  };
  // As in the producer, which writes no zeros.
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0));
}
