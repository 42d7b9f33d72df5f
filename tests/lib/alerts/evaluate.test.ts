import { describe, expect, it } from "vitest";
import { deliverNotices } from "../../../lib/alerts/deliver-notices.js";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { type Counts, requests, useAlerts } from "../../support/alerts.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const world = useAlerts(stores, { LOG_LEVEL: "info" });

const failing = requests(100, { failed: 40 });
const attacks = (count: number) => ({
  ...requests(100),
  [seriesName("security_events_total", { event: "login_failed" })]: count,
});
const chain = seriesName("audit_chain_broken");
const breaker = seriesName("circuit_breaker_state", { service: "toolkit" });

/** Minute by minute; each time this or an earlier minute is evaluated again, which must change nothing. */
async function replay(first: number, end: number, counts: Counts) {
  for (let minute = first; minute < end; minute += 1) {
    await world.endMinute(minute, counts);
    for (const again of [minute, Math.max(0, minute - 2)]) {
      expect(await evaluateAlerts(world.after(again))).toMatchObject({
        transitions: 0,
        notices: 0,
      });
    }
  }
}

async function allRows() {
  const tables = ["alerts", "alert_transitions", "alert_samples", "alert_clock", "queue_entries"];
  const rows = tables.map((table) => stores.sql(`select * from ${table} as t order by t::text`));
  return JSON.stringify(await Promise.all(rows));
}

describe("evaluateAlerts", () => {
  it("changes nothing when called twice, late or out of order", async () => {
    for (let minute = 0; minute < 4; minute += 1) await world.endMinute(minute, failing);
    expect(await world.firing()).toEqual(["ErrorRateCritical:"]);
    const before = await allRows();
    // Counts for a minute that is already evaluated.
    await world.count(1, requests(5000));
    for (const minute of [3, 0, 2, 1, 3]) {
      const nothing = { minutes: 0, transitions: 0, notices: 0 };
      expect(await evaluateAlerts(world.after(minute))).toEqual(nothing);
    }
    expect(await allRows()).toBe(before);
    expect(world.pager.incidents()).toHaveLength(1);
  });

  it("ignores alerts of another environment", async () => {
    for (const rule of ["ErrorRateCritical", "ErrorRateWarning"]) {
      await stores.sql(
        `insert into alerts values ($1, $2, '', 'firing', 9, 0, now(), now(), 'P1', 'page', 'old')`,
        `before:${rule}:`,
        rule,
      );
    }
    await world.endMinutes(0, 7, requests(200, { failed: 4 }));
    await world.endMinute(7, requests(200, { failed: 4 }));
    expect(await world.firing()).toEqual([
      "before:ErrorRateCritical:",
      "before:ErrorRateWarning:",
      "ErrorRateWarning:",
    ]);
    expect(world.investigate.messages()).toHaveLength(1);
  });

  it("evaluates missed minutes once each, in order", async () => {
    for (let minute = 0; minute < 6; minute += 1) await world.count(minute, failing);
    await world.endMinute(6, failing);
    expect(await world.transitions("ErrorRateCritical")).toEqual([
      "0 inactive→pending",
      "2 pending→firing",
    ]);
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1, status: "triggered" }]);
  });

  it("treats a missing minute as no data, not as zero", async () => {
    for (let minute = 0; minute < 4; minute += 1) await world.endMinute(minute, failing);
    // No data for an hour: no request, not even the cron job's own.
    for (let minute = 4; minute < 64; minute += 4) await world.endMinute(minute, {});
    expect(await world.firing()).toContain("ErrorRateCritical:");
    await world.endMinutes(64, 70);
    expect(await world.firing()).toEqual([]);
  });

  it("does not evaluate a minute that is not drained", async () => {
    await world.endMinutes(0, 3);
    await stores.sql("update telemetry_minutes set value = value + 1000 where series like '%503%'");
    await evaluateAlerts(world.after(4));
    expect(await world.firing()).toEqual([]);
  });

  it("compares exactly: five of a hundred is not over 5 %", async () => {
    await world.endMinutes(0, 8, requests(100, { failed: 5 }));
    expect(await world.transitions("ErrorRateCritical")).toEqual([]);
    await world.endMinutes(8, 16, requests(1000, { failed: 51 }));
    expect(await world.firing()).toContain("ErrorRateCritical:");
  });

  it("neither fires nor resolves an alert on too few requests", async () => {
    await world.endMinutes(0, 8, requests(3, { failed: 3 }));
    expect(await world.firing()).toEqual([]);
    await world.endMinutes(8, 14, failing);
    expect(await world.firing()).toEqual(["ErrorRateCritical:", "ErrorRateWarning:"]);
    for (const minute of [14, 22]) {
      await world.endMinutes(minute, minute + 8, requests(3, { failed: 3 }));
    }
    expect(await world.firing()).toEqual(["ErrorRateCritical:", "ErrorRateWarning:"]);
  });

  it("excludes probes from the error rate", async () => {
    const probes = requests(100_000, { route: "/api/health" });
    await world.endMinutes(0, 4, { ...probes, ...failing });
    expect(await world.firing()).toEqual(["ErrorRateCritical:"]);
    await world.endMinute(4, requests(100_000, { route: "/api/health", failed: 100_000 }));
    const [{ detail } = { detail: null }] = await stores.sql("select detail from alerts");
    expect(detail).toBe("160 of 400 in 5 min");
  });

  it("evaluates each policy separately", async () => {
    const used = (policy: string, near: number) => ({
      [seriesName("rate_limit_calls_total", { policy, decided_by: "redis" })]: 100,
      [seriesName("rate_limit_near_max_total", { policy })]: near,
    });
    await world.endMinutes(0, 6, { ...used("auth", 50), ...used("default", 1) });
    await world.endMinute(6, { ...used("auth", 50), ...used("default", 1) });
    expect(await world.firing()).toEqual(["RateLimitNearMax:auth"]);
    expect(world.investigate.messages()).toHaveLength(1);
    expect(world.investigate.messages()[0]).toContain("the rate limit auth");
  });

  it("suppresses the warning while the critical alert fires, and sends it afterwards", async () => {
    await world.endMinutes(0, 8, failing);
    expect(await world.firing()).toEqual(["ErrorRateCritical:", "ErrorRateWarning:"]);
    expect(world.investigate.messages()).toEqual([]);
    // The critical alert is resolved in minute 17: then the warning must hold for its own six minutes.
    await replay(8, 23, requests(100, { failed: 3 }));
    expect(world.pager.incidents()).toMatchObject([{ status: "resolved" }]);
    expect(await world.firing()).toEqual(["ErrorRateWarning:"]);
    expect(world.investigate.messages()).toEqual([]);
    await replay(23, 26, requests(100, { failed: 3 }));
    expect(world.investigate.messages()).toHaveLength(1);
    await world.endMinutes(26, 36, requests(100));
    expect(world.investigate.messages()).toEqual([
      expect.stringContaining("*P3* ErrorRateWarning"),
      expect.stringContaining("Resolved: ErrorRateWarning"),
    ]);
  });

  it("sends nothing about a warning that ends with the critical alert", async () => {
    await replay(0, 8, failing);
    await replay(8, 10, requests(100, { failed: 3 }));
    await replay(10, 20, requests(100));
    expect(await world.transitions("ErrorRateCritical")).toContain("17 firing→inactive");
    expect(await world.transitions("ErrorRateWarning")).toContain("18 firing→inactive");
    expect(world.investigate.messages()).toEqual([]);
    expect(await world.unsent()).toBe(0);
  });

  it("starts the window of a pending warning again when the critical alert is resolved", async () => {
    await replay(0, 8, requests(15, { failed: 6 }));
    await replay(8, 14, requests(10));
    await replay(14, 17, requests(200, { failed: 4 }));
    expect(await world.firing()).toEqual(["ErrorRateCritical:"]);
    await replay(17, 23, requests(200, { failed: 4 }));
    expect(await world.firing()).toEqual([]);
    expect(world.investigate.messages()).toEqual([]);
    await replay(23, 25, requests(200, { failed: 4 }));
    expect(await world.firing()).toEqual(["ErrorRateWarning:"]);
    expect(world.investigate.messages()).toHaveLength(1);
  });

  it("decides the same when the minutes of an inhibition are evaluated late and together", async () => {
    await world.endMinutes(0, 8, failing);
    await world.count(8, requests(100, { failed: 3 }));
    await world.count(9, requests(100, { failed: 3 }));
    await world.endMinutes(10, 22, requests(100));
    await replay(22, 25, requests(100));
    expect(await world.transitions("ErrorRateWarning")).toContain("18 firing→inactive");
    expect(world.investigate.messages()).toEqual([]);
  });

  it("fires for a spike over the daily mean, with a higher priority when it grows", async () => {
    const day = 24 * 60;
    for (let hour = 1; hour <= 24; hour += 1) await world.count(-hour * 60 + 30, attacks(60));
    await world.endMinute(0, attacks(15));
    expect(await world.firing()).toEqual([]);
    // 1,440 a day are 5 in five minutes: over three times that is a spike, over ten times a P2.
    await world.endMinute(1, attacks(5));
    expect(world.investigate.messages()).toHaveLength(1);
    expect(world.team.messages()).toEqual([]);
    await world.endMinute(2, attacks(60));
    expect(world.team.messages()).toHaveLength(1);
    expect(await world.transitions("SecurityEventsSpike")).toEqual(["1 inactive→firing"]);
    for (let minute = 3; minute < 30; minute += 9) await world.endMinutes(minute, minute + 9);
    expect(world.team.messages().at(-1)).toMatch(/^Resolved: SecurityEventsSpike/);
    expect(day).toBe(1440);
  });

  it("reports a service as down for an open breaker or three failed probes in a row", async () => {
    await world.gauge(breaker, 2);
    for (let minute = 0; minute < 2; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["ExternalApiDown:toolkit"]);
    await world.gauge(breaker, 0);
    for (let minute = 2; minute < 8; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    world.toolkit.answer = 500;
    for (let minute = 8; minute < 11; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    await world.endMinute(11);
    expect(await world.firing()).toEqual(["ExternalApiDown:toolkit"]);
  });

  it("resolves a service that works again when Redis can no longer report the breaker", async () => {
    await world.gauge(breaker, 2);
    for (let minute = 0; minute < 2; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["ExternalApiDown:toolkit"]);
    await stores.sql("update telemetry_gauges set measured_at = now() - interval '301 s'");
    for (let minute = 2; minute < 9; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
  });

  it("fires DrainStalled when the drain has stopped", async () => {
    await world.endMinute(0);
    await evaluateAlerts(world.after(2));
    expect(await world.firing()).toEqual([]);
    await evaluateAlerts(world.after(3));
    expect(await world.firing()).toEqual(["DrainStalled:"]);
    for (let minute = 4; minute < 6; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual([]);
    expect(world.team.messages()).toHaveLength(2);
  });

  it("never fires for a metric that was never measured", async () => {
    for (let minute = 0; minute < 20; minute += 1) await world.endMinute(minute);
    expect(await stores.sql("select * from alerts")).toEqual([]);
  });

  it("sends no notification for a silenced rule until the silence ends", async () => {
    const until = world.after(2).now.toISOString();
    await stores.sql("insert into alert_silences values ('AuditChainBroken', $1)", until);
    await world.gauge(chain, 1);
    for (let minute = 0; minute < 2; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).toEqual(["AuditChainBroken:"]);
    expect(world.pager.incidents()).toEqual([]);
    for (let minute = 2; minute < 4; minute += 1) await world.endMinute(minute);
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1 }]);
  });

  it("sends nothing about a silenced alert that is no longer bad when the silence ends", async () => {
    const until = world.after(8).now.toISOString();
    await stores.sql("insert into alert_silences values ('ErrorRateCritical', $1)", until);
    await replay(0, 3, failing);
    await replay(3, 15, requests(100));
    expect(await world.transitions("ErrorRateCritical")).toContain("12 firing→inactive");
    expect(world.pager.incidents()).toEqual([]);
  });

  it("logs each alert that fires and is resolved", async () => {
    await world.gauge(chain, 1);
    await world.endMinute(0);
    await world.gauge(chain, 0);
    await world.endMinute(1);
    const data = { rule: "AuditChainBroken", reason: "audit_chain_broken is 1" };
    expect(lines.read("alert_firing")).toMatchObject([{ level: "NOTICE", data }]);
    expect(lines.read("alert_resolved")).toMatchObject([{ level: "NOTICE" }]);
    await deliverNotices(world.after(1));
  });
});
