import { describe, expect, it } from "vitest";
import { callerFaultOutcomes } from "../../../lib/alerts/rules/dependency-rules.js";
import { runHealthChecks } from "../../../lib/health/health.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { isFailure } from "../../../lib/toolkit/attempt.js";
import { type Counts, requests, useAlerts } from "../../support/alerts.js";
import { aContext } from "../../support/context.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useAlerts(stores);

const called = (service: string, operation: string, outcome: string, count: number): Counts => ({
  [seriesName("external_api_calls_total", { service, operation, outcome })]: count,
});
const clock = "/api/cron/tick";

async function runMinutes(minutes: number, ...counts: Counts[]): Promise<string[]> {
  const sum: Counts = {};
  for (const [series, count] of counts.flatMap(Object.entries<number>)) {
    sum[series] = (sum[series] ?? 0) + count;
  }
  await world.endMinutes(0, minutes, sum);
  return world.firing();
}

describe("ExternalApiDown", () => {
  it.each([
    ["toolkit", "transcribe", "status_400"],
    ["toolkit", "transcribe", "status_413"],
    ["toolkit", "transcribe", "status_415"],
    ["toolkit", "transcribe", "status_422"],
    ["mail", "send", "validation_error"],
    ["mail", "send", "status_422"],
  ])("ignores calls to %s %s that were rightly refused: %s", async (...refused) => {
    expect(await runMinutes(6, requests(100), called(...refused, 10))).toEqual([]);
  });

  it.each([
    ["toolkit", "text", "status_401"],
    ["toolkit", "text", "status_402"],
    ["toolkit", "text", "status_404"],
    ["toolkit", "text", "status_429"],
    ["toolkit", "text", "circuit_open"],
    ["mail", "send", "invalid_api_key"],
    ["mail", "send", "sender_not_verified"],
    ["mail", "send", "daily_quota_exceeded"],
  ])("fires when %s %s ends in a failure for all callers: %s", async (...failed) => {
    expect(await runMinutes(6, requests(100), called(...failed, 10))).toEqual([
      `ExternalApiDown:${failed[0]}`,
    ]);
  });

  it("counts every outcome that the breaker counts as a failure", () => {
    const leftOut = new RegExp(`^(?:${callerFaultOutcomes})$`);
    for (let status = 300; status < 600; status += 1) {
      if (isFailure(`status_${status}`)) expect(`status_${status}`).not.toMatch(leftOut);
    }
    for (const outcome of ["timeout", "network", "invalid_reply"]) {
      expect(outcome).not.toMatch(leftOut);
    }
  });

  it("ignores health probes, successful or failed", async () => {
    const probes = (outcome: string) => called("toolkit", "health", outcome, 12);
    const failing = called("toolkit", "transcribe", "status_500", 4);
    expect(await runMinutes(6, requests(100), failing, probes("ok"))).toEqual([
      "ExternalApiDown:toolkit",
    ]);
    await stores.sql("delete from alerts");
    await stores.sql("delete from telemetry_minutes");
    const well = called("toolkit", "transcribe", "ok", 4);
    await stores.sql("update alert_clock set counted_until = $1", world.after(5).now.toISOString());
    await world.endMinutes(7, 13, { ...requests(100), ...well, ...probes("timeout") });
    expect(await world.firing()).toEqual([]);
  });
});

describe("the rates of errors and slow requests", () => {
  it("exclude failures of the cron route, which have their own alerts", async () => {
    const failing = requests(1, { failed: 1, route: clock });
    expect(await runMinutes(9, requests(10), failing)).toEqual([]);
  });

  it("exclude slow calls of the cron route", async () => {
    expect(await runMinutes(9, requests(10), requests(1, { over2s: 1, route: clock }))).toEqual([]);
  });

  it.each([
    ["LatencyP95Warning:", { over1s: 100 }],
    ["LatencyP95Critical:", { over2s: 100 }],
  ])(
    "fire %s when all requests are slow, without a row for the empty buckets",
    async (rule, slow) => {
      expect(await runMinutes(11, requests(100, slow))).toContain(rule);
    },
  );

  it.each(["feature_disabled", "backup_store_unavailable"])("exclude %s", async (code) => {
    const off = requests(100, { failed: 90, code });
    expect(await runMinutes(9, requests(10), off)).toEqual([]);
    expect(world.pager.incidents()).toEqual([]);
  });

  it.each(["internal_error", "service_unavailable", "toolkit_unavailable"])(
    "include %s",
    async (code) => {
      expect(await runMinutes(5, requests(100, { failed: 20, code }))).toEqual([
        "ErrorRateCritical:",
      ]);
    },
  );

  it.each([clock, "unmatched"])("are not diluted by calls of %s", async (route) => {
    const many = requests(400, { route });
    expect(await runMinutes(5, requests(10, { failed: 2 }), many)).toEqual(["ErrorRateCritical:"]);
  });
});

describe("SecurityEventsSpike", () => {
  const events = (event: string) => ({ [seriesName("security_events_total", { event })]: 40 });

  it.each([
    "admin_action",
    "operator_token_used",
    "break_glass",
    "second_factor_changed",
    "new_device",
    "session_displaced",
    "refresh_concurrent",
    "refresh_ahead",
  ])("ignores %s, which owners and operators cause legitimately", async (event) => {
    expect(await runMinutes(1, requests(100), events(event))).toEqual([]);
  });

  it("ignores the requests that an operator's block refuses, so that a block ends the alert", async () => {
    expect(await runMinutes(1, requests(100), events("ip_blocked"))).toEqual([]);
  });

  it.each([
    "login_failed",
    "rate_limited",
    "authz_denied",
    "recovery_code_used",
    "a_kind_of_tomorrow",
  ])("counts %s", async (event) => {
    expect(await runMinutes(1, requests(100), events(event))).toEqual(["SecurityEventsSpike:"]);
  });

  it("detects an attack on a day with many operator actions", async () => {
    const before = Array.from({ length: 100 }, (_, at) => at - 101);
    for (const minute of before) await world.count(minute, events("admin_action"));
    expect(await runMinutes(1, requests(100), events("login_failed"))).toEqual([
      "SecurityEventsSpike:",
    ]);
  });
});

describe("RedisDown", () => {
  const policy = (name: string) => stores.redis("CONFIG", "SET", "maxmemory-policy", name);

  it("fires for a Redis that does not respond, not for a wrong setting", async () => {
    await policy("allkeys-lru");
    try {
      for (let minute = 0; minute < 4; minute += 1) await world.endMinute(minute);
      expect(await world.firing()).toEqual([]);
      expect(world.pager.incidents()).toEqual([]);
      const { checks, status } = await runHealthChecks(aContext());
      expect(status).toBe("warn");
      expect(checks["redis:responseTime"]).toMatchObject([
        {
          status: "warn",
          output: "maxmemory-policy is allkeys-lru: set noeviction",
          observedValue: expect.any(Number),
          observedUnit: "ms",
        },
      ]);
    } finally {
      await policy("noeviction");
    }
  });
});
