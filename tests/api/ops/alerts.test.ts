import { beforeAll, describe, expect, it } from "vitest";
import alerts from "../../../api/ops/alerts/index.js";
import rules from "../../../api/ops/alerts/rules.js";
import silences from "../../../api/ops/alerts/silences.js";
import tests from "../../../api/ops/alerts/tests.js";
import health from "../../../api/ops/health.js";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { runProbes } from "../../../lib/alerts/probes.js";
import { requests, useAlerts } from "../../support/alerts.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment } from "../../support/environment.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});
const world = useAlerts(stores);
const read = () => call(alerts, "GET", { token: operator.token });

describe("GET /api/ops/alerts", () => {
  it("lists alerts with state and runbook, firing ones first", async () => {
    await world.gauge("audit_chain_broken", 1);
    for (let minute = 0; minute < 3; minute++) await world.endMinute(minute);
    const { body } = await read();
    expect(body.alerts[0]).toMatchObject({
      rule: "AuditChainBroken",
      state: "firing",
      priority: "P1",
      runbook: expect.stringMatching(/\/audit-chain-broken\.md$/),
    });
    expect(body.unsent).toBe(0);
  });

  it("marks an alert whose notice another one holds back, and one that is resolving", async () => {
    const listed = async () => {
      const { body } = await read();
      const named = (rule: string) =>
        body.alerts.find((alert: { rule: string }) => alert.rule === rule);
      return [named("RedisDown"), named("DrainStalled")];
    };
    await stores.faults.redis.set({ kind: "refuse" });
    for (let minute = 0; minute < 6; minute++) await evaluateAlerts(world.after(minute));
    expect(await listed()).toMatchObject([
      { state: "firing", heldBackBy: [], isResolving: false },
      { state: "firing", heldBackBy: ["RedisDown"], isResolving: false },
    ]);
    await stores.faults.redis.set(null);
    const isDown = async () => (await runProbes(aContext())).stores.redis;
    await expect.poll(isDown, { timeout: 30_000 }).toBe(false);
    await world.endMinute(6);
    expect(await listed()).toMatchObject([
      { state: "firing", isResolving: true },
      { state: "firing", isResolving: true },
    ]);
  });

  it("omits alerts of another environment", async () => {
    await stores.sql(
      `insert into alerts values ('before:RedisDown:redis', 'RedisDown', 'redis', 'firing', 9, 0,
         now(), now(), 'P1', 'page', 'old')`,
    );
    expect((await read()).body.alerts).toEqual([]);
    const { body } = await call(health, "GET", { token: operator.token });
    const alertsFinding = body.findings.find(({ name }: { name: string }) => name === "alerts");
    expect(alertsFinding).toMatchObject({ status: "pass", detail: "none firing" });
  });
});

describe("GET /api/ops/alerts/rules", () => {
  const ruleNamed = async (rule: string) => {
    const { status, body } = await call(rules, "GET", { token: operator.token });
    expect(status).toBe(200);
    return body.rules.find((each: { rule: string }) => each.rule === rule);
  };

  it("shows each rule's newest result and the age of its data", async () => {
    await world.count(-1, requests(100, { failed: 40 }));
    await world.gauge("audit_chain_broken", 1);
    expect(await ruleNamed("ErrorRateCritical")).toMatchObject({
      priority: "P1",
      channel: "page",
      ageSeconds: expect.any(Number),
      now: [{ label: "", is: "bad", detail: "40 of 100 in 5 min", state: "inactive" }],
    });
    expect((await ruleNamed("ErrorRateCritical")).ageSeconds).toBeLessThan(120);
    expect((await ruleNamed("AuditChainBroken")).now).toMatchObject([
      { is: "bad", detail: "audit_chain_broken is 1" },
    ]);
    expect((await ruleNamed("HealthCheckFailing")).now).toMatchObject([
      { label: "postgres", is: "good" },
      { label: "redis", is: "good" },
      { label: "self", is: "good" },
    ]);
    await stores.sql("delete from telemetry_gauges where series = 'audit_chain_broken'");
    expect((await ruleNamed("AuditChainBroken")).now).toMatchObject([
      { is: "unknown", detail: "no data" },
    ]);
  });

  it("changes nothing, and shows the age of the data when nothing is drained", async () => {
    await world.count(-1, requests(100, { failed: 40 }));
    await stores.sql("update drain_state set drained_until = drained_until - interval '1 hour'");
    expect((await ruleNamed("ErrorRateCritical")).ageSeconds).toBeGreaterThanOrEqual(3600);
    expect((await ruleNamed("DrainStalled")).now).toMatchObject([{ is: "bad" }]);
    expect(await stores.sql("select * from alerts")).toEqual([]);
    expect(await stores.sql("select * from alert_samples")).toEqual([]);
  });
});

describe("POST /api/ops/alerts/tests", () => {
  it("sends a marked notification end to end, resolves it, and raises no alert", async () => {
    const { status, body } = await operate(tests, "POST", operator.token, {
      rule: "ErrorRateCritical",
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      done: "Sent a test notification of ErrorRateCritical: pagerduty accepted it.",
      detail: { isDelivered: true, way: "pagerduty", outcome: "accepted" },
    });
    const [incident] = world.pager.incidents();
    expect(incident?.status).toBe("resolved");
    expect(JSON.stringify(incident)).toContain("[TEST]");
    expect(await world.unsent()).toBe(0);
    expect(await world.firing()).toEqual([]);
    const rows = await stores.sql("select * from audit_log where action = 'alert.tested'");
    expect(rows).toHaveLength(1);
  });

  it("reports a failed delivery with its reason", async () => {
    const test = async () => {
      const { status, body } = await operate(tests, "POST", operator.token, {
        rule: "ErrorRateCritical",
      });
      expect(status).toBe(200);
      expect(body.detail.isDelivered).toBe(false);
      return body.done;
    };
    world.pager.fail({ kind: "error", status: 503 });
    expect(await test()).toBe(
      "Sent a test notification of ErrorRateCritical: pagerduty refused it (status_503).",
    );
    world.pager.fail(null);
    setEnvironment({ PAGERDUTY_ROUTING_KEY: "f".repeat(32), PAGERDUTY_URL: world.pager.url });
    expect(await test()).toContain("refused it (status_400)");
    setEnvironment({});
    expect(await test()).toBe(
      "ErrorRateCritical was not sent: no destination is configured for page or as its fallback. Set PAGERDUTY_ROUTING_KEY or ALERT_WEBHOOK_URL.",
    );
    expect(await world.unsent()).toBe(0);
  });

  it("says in a dry run where it would send a notification, or that it would send none", async () => {
    const tested = () => stores.sql("select 1 from audit_log where action = 'alert.tested'");
    const before = await tested();
    const dry = async (rule: string) =>
      (await operate(tests, "POST", operator.token, { rule, dryRun: true })).body;
    expect(await dry("ErrorRateCritical")).toMatchObject({
      done: "Would send a test notification of ErrorRateCritical through pagerduty.",
      detail: { way: "pagerduty" },
    });
    setEnvironment({ PAGERDUTY_ROUTING_KEY: "f".repeat(32) });
    const nothing = (channel: string, variables: string) => ({
      done: `Would send nothing: no destination is configured for ${channel} or as its fallback. Set ${variables}.`,
      detail: { way: null },
    });
    expect(await dry("ErrorRateWarning")).toMatchObject(
      nothing("investigate", "ALERT_INVESTIGATE_WEBHOOK_URL or ALERT_WEBHOOK_URL"),
    );
    setEnvironment({});
    expect(await dry("ErrorRateCritical")).toMatchObject(
      nothing("page", "PAGERDUTY_ROUTING_KEY or ALERT_WEBHOOK_URL"),
    );
    expect(await tested()).toEqual(before);
  });

  it("sends nothing in a dry run, and returns 422 for an unknown rule", async () => {
    const dry = { rule: "ErrorRateCritical", dryRun: true };
    expect((await operate(tests, "POST", operator.token, dry)).body.dryRun).toBe(true);
    expect(await world.unsent()).toBe(0);
    expect(await operate(tests, "POST", operator.token, { rule: "Nonsense" })).toMatchObject({
      status: 422,
    });
  });
});

describe("POST /api/ops/alerts/silences", () => {
  it("suppresses notifications of a rule for a period and can be undone", async () => {
    const body = { rule: "AuditChainBroken", minutes: 60 };
    const answer = await operate(silences, "POST", operator.token, body);
    expect(answer.body.undo).toContain("alerts silence AuditChainBroken --minutes 0");
    expect((await read()).body.silences).toMatchObject([{ rule: "AuditChainBroken" }]);
    await world.gauge("audit_chain_broken", 1);
    for (let minute = 0; minute < 3; minute++) await world.endMinute(minute);
    expect(world.pager.incidents()).toEqual([]);
    await operate(silences, "POST", operator.token, { ...body, minutes: 0 });
    expect((await read()).body.silences).toEqual([]);
    const rows = await stores.sql("select * from audit_log where action = 'alert.silenced'");
    expect(rows).toHaveLength(2);
  });
});
