import { describe, expect, it } from "vitest";
import register from "../../../api/auth/register.js";
import tick from "../../../api/cron/tick.js";
import health from "../../../api/health.js";
import livez from "../../../api/livez.js";
import user from "../../../api/user/index.js";
import { AppError } from "../../../lib/errors.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { failing } from "../../support/failing.js";
import { useLogLines } from "../../support/log-lines.js";
import { useMailbox } from "../../support/mailbox.js";
import { anAddress, aUser } from "../../support/people.js";
import { useSentry } from "../../support/sentry.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useMailbox();
const sentry = useSentry();
const logs = useLogLines();
useEnvironment({ LOG_LEVEL: "info", GIT_COMMIT_SHA: "abc1234", CRON_SECRET: "the-clock" });

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const sampledBy = (sampled: 0 | 1) => ({ "sentry-trace": `${traceId}-${spanId}-${sampled}` });
const disableTraces = () => setEnvironment({ LOG_LEVEL: "info", SENTRY_TRACES_SAMPLE_RATE: "0" });

describe("a sampled request", () => {
  it("is sent as a transaction of its route with the user and its calls", async () => {
    const { accessToken: token, user: person } = await aUser();
    await sentry.received("transaction");
    sentry.endpoint.reset();
    await call(user, "GET", {
      token,
      url: "http://localhost:8080/api/user?email=ada@example.com",
      headers: { "x-correlation-id": "one-1", ...sampledBy(1) },
    });
    const [transaction, ...others] = await sentry.received("transaction");
    expect(others).toEqual([]);
    expect(transaction).toMatchObject({
      type: "transaction",
      transaction: "/api/user",
      transaction_info: { source: "route" },
      release: "abc1234",
      environment: "test",
      user: { id: person.id },
      tags: { correlation_id: "one-1", "http.method": "GET", "http.status_code": "200" },
      contexts: {
        trace: { trace_id: traceId, parent_span_id: spanId, op: "http.server", status: "ok" },
      },
    });
    const { span_id: root, data } = transaction.contexts.trace;
    expect(data).toMatchObject({ "http.method": "GET", "http.response.status_code": 200 });
    const spans = transaction.spans.map(({ op, description, status }: Record<string, string>) => [
      op,
      description,
      status,
    ]);
    expect(spans).toEqual([
      [
        "db.redis",
        expect.stringMatching(/^HMGET( SMISMEMBER| EVALSHA| EVAL| HGETALL| HMGET| EXISTS)+$/),
        "ok",
      ],
      ["db", expect.stringMatching(/^select .* from "users" where .* = \$1$/), "ok"],
    ]);
    for (const span of transaction.spans) {
      expect(span).toMatchObject({
        trace_id: traceId,
        parent_span_id: root,
        data: { correlation_id: "one-1" },
      });
    }
    expect(transaction).not.toHaveProperty("request");
    expect(transaction).not.toHaveProperty("breadcrumbs");
  });

  it("includes mail sent after the response in its spans", async () => {
    await aUser();
    const [transaction] = await sentry.received("transaction");
    expect(transaction.transaction).toBe("/api/auth/register");
    const external = transaction.spans.filter(({ op }: { op: string }) => op === "http.client");
    expect(external).toMatchObject([
      { description: "mail send", status: "ok", data: { after_reply: true } },
    ]);
  });

  it("describes a batch by the texts of its statements", async () => {
    await aUser();
    const [transaction] = await sentry.received("transaction");
    const statements = transaction.spans.filter(({ op }: { op: string }) => op === "db");
    expect(statements.length).toBeGreaterThan(0);
    const text = JSON.stringify(statements);
    expect(text).toMatch(/insert into .{0,2}users/i);
    expect(text).not.toMatch(/learner-|Ada|argon2|correlation_id=/);
  });

  it("is one transaction when it ends with a client error", async () => {
    await call(user, "GET", { token: "nonsense", headers: sampledBy(1) });
    expect(await sentry.received("transaction")).toMatchObject([
      { tags: { code: "token_invalid" }, contexts: { trace: { status: "unauthenticated" } } },
    ]);
    expect(await sentry.received("event")).toEqual([]);
  });

  it("has status cancelled when its feature is disabled", async () => {
    await call(failing(new AppError("feature_disabled")), "GET", { headers: sampledBy(1) });
    expect(await sentry.received("transaction")).toMatchObject([
      { tags: { code: "feature_disabled" }, contexts: { trace: { status: "cancelled" } } },
    ]);
    expect(await sentry.received("event")).toEqual([]);
  });
});

describe("nothing is sent to Sentry", () => {
  it("for a request that its caller did not sample", async () => {
    await call(user, "GET", { headers: sampledBy(0) });
    await sentry.received("transaction");
    expect(sentry.endpoint.requests()).toBe(0);
  });

  it("for health and liveness, even when sampled", async () => {
    await call(health, "GET", { headers: sampledBy(1) });
    await call(livez, "GET", { headers: sampledBy(1) });
    await sentry.received("transaction");
    expect(sentry.endpoint.requests()).toBe(0);
  });

  it("without a DSN, and its code is not loaded", async () => {
    setEnvironment({ LOG_LEVEL: "info", SENTRY_DSN: "" });
    const slot = Symbol.for("linguamate.sentry");
    const loaded = globalThis as { [slot]?: unknown };
    delete loaded[slot];
    await call(user, "GET", { headers: sampledBy(1) });
    await call(failing(new Error("no")), "GET", { headers: sampledBy(1) });
    await stores.settled();
    expect(sentry.endpoint.requests()).toBe(0);
    expect(loaded[slot]).toBeUndefined();
  });
});

describe("a server error", () => {
  it("is sent with its correlation ID in the request's trace, sampled or not", async () => {
    disableTraces();
    const cause = new Error("refused for ada@example.com", { cause: new TypeError("deeper") });
    const { status } = await call(failing(cause), "GET", {
      headers: { "x-correlation-id": "error-1", ...sampledBy(0) },
    });
    expect(status).toBe(500);
    expect(await sentry.received("transaction")).toEqual([]);
    const [event, ...others] = await sentry.received("event");
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      level: "error",
      transaction: "/api/failing",
      tags: { correlation_id: "error-1", code: "internal_error", "http.status_code": "500" },
      contexts: { trace: { trace_id: traceId, parent_span_id: spanId } },
      exception: {
        values: [
          { type: "TypeError", value: "deeper" },
          { type: "Error", value: "refused for [email]" },
        ],
      },
    });
    const { frames } = event.exception.values[1].stacktrace;
    expect(frames.at(-1).filename).toContain("sentry.test.ts");
  });

  it("of a store is sent without the values of the statement", async () => {
    await stores.sql("alter table users rename column name to renamed");
    const body = {
      email: "grace@example.com",
      password: "correct horse battery",
      name: "Grace",
      acceptedTerms: true,
    };
    const { status } = await call(register, "POST", { body, ip: anAddress() });
    await stores.sql("alter table users rename column renamed to name");
    expect(status).toBe(500);
    const [event] = await sentry.received("event");
    expect(event.exception.values.length).toBeGreaterThan(0);
    expect(JSON.stringify(sentry.endpoint.envelopes)).not.toMatch(/grace|horse|argon2/i);
  });

  it("is sent at most 60 times a minute, and a store outage six times", async () => {
    disableTraces();
    const absent = failing(new AppError("service_unavailable", { cause: new Error("away") }));
    const broken = failing(new Error("broken"));
    for (let n = 0; n < 20; n++) await call(absent, "GET");
    for (let n = 0; n < 80; n++) await call(broken, "GET");
    const values = (await sentry.received("event")).map(
      ({ exception }) => exception.values[0].value,
    );
    const countOf = (value: string) => values.filter((one) => one === value).length;
    expect(countOf("away")).toBe(6);
    // Earlier tests of this file sent a few.
    expect(countOf("broken")).toBeGreaterThan(50);
    expect(countOf("broken")).toBeLessThanOrEqual(60);
  });
});

describe("a cron request", () => {
  const secret = { token: "the-clock" };

  it("sends a check-in with the name of its path and its schedule", async () => {
    disableTraces();
    setEnvironment({ SENTRY_TRACES_SAMPLE_RATE: "0", CRON_SECRET: "the-clock" });
    expect((await call(tick, "GET", secret)).status).toBe(200);
    expect(await sentry.received("check_in")).toMatchObject([
      {
        monitor_slug: "api-cron-tick",
        status: "ok",
        duration: expect.any(Number),
        environment: "test",
        monitor_config: {
          schedule: { type: "crontab", value: expect.stringMatching(/^[\d*/ ,-]+$/) },
          timezone: "UTC",
        },
      },
    ]);
  });

  it("sends a check-in with an error when it fails, and none without its secret", async () => {
    setEnvironment({ SENTRY_TRACES_SAMPLE_RATE: "0", CRON_SECRET: "the-clock" });
    expect((await call(tick, "GET", { token: "another" })).status).toBe(401);
    expect(await sentry.received("check_in")).toEqual([]);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await call(tick, "GET", secret)).status).toBe(503);
    expect(await sentry.received("check_in")).toMatchObject([
      { monitor_slug: "api-cron-tick", status: "error" },
    ]);
  });
});

describe("a feature the platform lacks", () => {
  it("is logged once: profiles", async () => {
    setEnvironment({ LOG_LEVEL: "info" });
    await call(user, "GET", { headers: sampledBy(1) });
    await call(user, "GET", { headers: sampledBy(1) });
    await stores.settled();
    expect(logs.read("profiles_unavailable")).toHaveLength(1);
    setEnvironment({ LOG_LEVEL: "info", SENTRY_PROFILES_SAMPLE_RATE: "0" });
    await call(user, "GET", { headers: sampledBy(1) });
    await stores.settled();
    expect(logs.read("profiles_unavailable")).toHaveLength(1);
  });
});
