import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import livez from "../../../api/livez.js";
import user from "../../../api/user/index.js";
import { env } from "../../../lib/env.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { installPlatform, platform } from "../../../lib/platform/installed.js";
import { userHash } from "../../../lib/telemetry/request-event.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { deleteEvents, drained, minutes, totals } from "../../support/drained.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const lines = useLogLines();
beforeEach(() => deleteEvents(stores));

const rows = () => stores.sql("select * from access_log order by id");

const withExternalCalls = route("/api/test/external-calls", {
  GET: endpoint({
    summary: "Calls a service before and after the response.",
    auth: "anonymous",
    limits: [],
    replies: { 200: z.object({}) },
    errors: [],
    handle: async ({ ctx }) => {
      const outside = { service: "toolkit", operation: "chat", outcome: "ok", durationMs: 700 };
      ctx.requestMetrics.externalCalls.push(outside);
      ctx.after(async () => {
        ctx.requestMetrics.externalCalls.push({ ...outside, outcome: "timeout", durationMs: 3000 });
      });
      return {};
    },
  }),
});

describe("the telemetry event of a request", () => {
  it("is a row of the access log without the user's ID or full address", async () => {
    const person = await aUser();
    await deleteEvents(stores);
    const answer = await call(user, "GET", {
      token: person.accessToken,
      ip: "198.51.100.7",
      headers: { "x-correlation-id": "a-request-of-mine", "x-app-version": "2.4.1" },
    });
    expect(answer.status).toBe(200);
    expect(await drained(stores)).toEqual({ events: 1, isComplete: true });
    const [row, ...others] = await rows();
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      count: "1",
      one_in: "1",
      correlation_id: "a-request-of-mine",
      route: "/api/user",
      method: "GET",
      status: "200",
      code: null,
      user_hash: userHash(env(), person.user.id),
      ip_prefix: "198.51.100.0/24",
      app_version: "2.4.1",
      release: env().release.sha,
      token_failure: null,
    });
    expect(JSON.parse(row?.limits ?? "{}")).toEqual({
      default: "1/100",
      "address-ceiling": "1/1000",
    });
    expect(Number(row?.duration_ms)).toBeGreaterThan(0);
    const everything = JSON.stringify(row);
    for (const secret of [person.user.id, person.email, person.accessToken, "198.51.100.7"]) {
      expect(everything).not.toContain(secret);
    }
  });

  it("counts the request, its duration, its limits and its errors", async () => {
    await call(user, "GET");
    await call(user, "GET", { token: "not.a.token" });
    await drained(stores);
    const counted = await totals(stores);
    expect(counted).toMatchObject({
      telemetry_events_total: 2,
      'http_requests_total{route="/api/user",method="GET",status="401"}': 2,
      'http_errors_total{route="/api/user",code="token_missing"}': 1,
      'http_errors_total{route="/api/user",code="token_invalid"}': 1,
      'jwt_verification_failures_total{reason="form"}': 1,
      'security_events_total{event="jwt_signature_invalid"}': 1,
      'http_request_duration_seconds_bucket{route="/api/user",le="+Inf"}': 2,
      'http_request_duration_seconds_count{route="/api/user"}': 2,
    });
    expect(await minutes(stores)).toEqual(counted);
    const micros = counted['http_request_duration_seconds_sum{route="/api/user"}'] ?? 0;
    const loggedMicros = lines.read("http_request").map(({ data }) => data.duration * 1000);
    expect(Math.abs(micros - loggedMicros.reduce((sum, us) => sum + us, 0))).toBeLessThan(200);
  });

  describe("above a limit", () => {
    useStillClock();

    it("counts uses of a limit, its last fifth, and its refusals", async () => {
      const [person, limited] = [await aUser(), anAddress()];
      await deleteEvents(stores);
      const send = () => call(user, "GET", { token: person.accessToken, ip: limited });
      const answers = await Promise.all(Array.from({ length: 102 }, send));
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
      await drained(stores);
      expect(await totals(stores)).toMatchObject({
        'rate_limit_calls_total{policy="default",decided_by="redis"}': 102,
        'rate_limit_near_max_total{policy="default"}': 22,
        'rate_limit_hits_total{policy="default",route="/api/user"}': 2,
        'security_events_total{event="rate_limited"}': 2,
      });
    });
  });

  it("counts where a limit was decided when Redis did not respond", async () => {
    const { accessToken: token } = await aUser();
    await deleteEvents(stores);
    const isOfRequest = (body: unknown) => JSON.stringify(body).includes("HMGET");
    await stores.faults.redis.set({ kind: "reset", match: isOfRequest, times: 1 });
    expect((await call(user, "GET", { token })).status).toBe(200);
    await stores.faults.redis.set(null);
    await drained(stores);
    const counted = await totals(stores);
    expect(counted).toMatchObject({
      'rate_limit_calls_total{policy="default",decided_by="local"}': 1,
    });
  });

  it("counts external calls, including those after the response", async () => {
    await call(withExternalCalls, "GET");
    await drained(stores);
    const series = (outcome: string) =>
      `external_api_calls_total{service="toolkit",operation="chat",outcome="${outcome}"}`;
    const duration = 'external_api_duration_seconds_bucket{service="toolkit",operation="chat",le=';
    expect(await totals(stores)).toMatchObject({
      [series("ok")]: 1,
      [series("timeout")]: 1,
      [`${duration}"1"}`]: 1,
      [`${duration}"5"}`]: 2,
      'external_api_duration_seconds_sum{service="toolkit",operation="chat"}': 3_700_000,
    });
    expect(JSON.parse((await rows())[0]?.external_calls ?? "")).toEqual([
      ["toolkit", "chat", "ok", 700],
    ]);
  });

  it("counts an unknown method as other", async () => {
    await call(livez, "BREW" as "GET");
    await drained(stores);
    expect(await totals(stores)).toMatchObject({
      'http_requests_total{route="/api/livez",method="other",status="405"}': 1,
    });
  });

  it("shares one row with similar events after the tenth, with their count", async () => {
    const crowded = Array.from({ length: 60 }, () => call(user, "GET", { ip: "198.51.100.9" }));
    await Promise.all([...crowded, call(user, "GET", { ip: "203.0.113.9" })]);
    await drained(stores);
    const all = await rows();
    const [crowd, single] = ["198.51.100.0/24", "203.0.113.0/24"].map((prefix) =>
      all.filter(({ ip_prefix }) => ip_prefix === prefix),
    );
    expect(single?.map(({ count }) => count)).toEqual(["1"]);
    expect(crowd?.reduce((sum, { count }) => sum + Number(count), 0)).toBe(60);
    // On a slow machine there may be more than one batch.
    const [batches] = await stores.sql("select count(*) from drained_batches");
    expect(crowd?.length).toBeLessThanOrEqual(11 * Number(batches?.count));
    const shared = crowd?.filter(({ count }) => count !== "1");
    expect(shared?.[0]).toMatchObject({ correlation_id: null, code: "token_missing" });
  });

  it("shares one row per batch for liveness probes", async () => {
    await Promise.all(Array.from({ length: 50 }, () => call(livez, "GET")));
    await drained(stores);
    const [batches] = await stores.sql("select count(*) from drained_batches");
    expect(await rows()).toHaveLength(Number(batches?.count));
    expect((await totals(stores)).telemetry_events_total).toBe(50);
  });
});

describe("sending telemetry events", () => {
  it("adds no call before the response", async () => {
    const { accessToken: token } = await aUser();
    await stores.resetCalls();
    await stores.faults.redis.set({
      kind: "hang",
      match: (body) => /XADD/.test(JSON.stringify(body)),
    });
    expect((await call(user, "GET", { token })).status).toBe(200);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("needs at most a tenth of a round trip per request with 32 concurrent requests", async () => {
    const { accessToken: token } = await aUser();
    await stores.resetCalls();
    let left = 320;
    const client = async () => {
      while (left-- > 0) await call(user, "GET", { token, ip: anAddress() });
    };
    await Promise.all(Array.from({ length: 32 }, client));
    await stores.settled();
    expect(stores.telemetryTrips()).toBeLessThanOrEqual(32);
    expect(stores.telemetryTrips()).toBeGreaterThan(0);
    await drained(stores);
    expect((await totals(stores)).telemetry_events_total).toBe(321);
  });

  it("collects the events of successive requests in a process that outlives them", async () => {
    installPlatform({ ...platform(), outlivesRequests: true });
    await stores.resetCalls();
    for (let count = 0; count < 40; count++) {
      await call(livez, "GET");
      // So that no request is in flight when the event is recorded.
      await sleep(2);
    }
    await stores.settled();
    expect(stores.telemetryTrips()).toBeLessThan(10);
    await drained(stores);
    expect((await totals(stores)).telemetry_events_total).toBe(40);
  });

  it("ends within the invocation, also when another request does not end", async () => {
    let finish: () => void = () => {};
    const slow = route("/api/test/slow", {
      GET: endpoint({
        summary: "Ends when the test ends it.",
        auth: "anonymous",
        limits: [],
        replies: { 200: z.object({}) },
        errors: [],
        handle: () => new Promise<Record<string, never>>((resolve) => (finish = () => resolve({}))),
      }),
    });
    const pending = call(slow, "GET");
    await expect.poll(() => finish.length === 0).toBe(true);
    await call(livez, "GET");
    await stores.settled();
    expect(await stores.redis("XLEN", "events")).toBe(1);
    finish();
    await pending;
  });

  it("drops a batch that Redis refuses, counts it in the next, and keeps the log lines", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    await call(livez, "GET", { headers: { "x-correlation-id": "lost" } });
    await stores.settled();
    await stores.faults.redis.set(null);
    await call(livez, "GET", { headers: { "x-correlation-id": "kept" } });
    await drained(stores);
    expect((await rows()).map((row) => row.correlation_id)).toEqual(["kept"]);
    expect(await totals(stores)).toMatchObject({
      telemetry_lost_batches_total: 1,
      telemetry_events_total: 1,
    });
    const written = lines.read("http_request").map(({ corr }) => corr.correlationId);
    expect(written).toEqual(["lost", "kept"]);
    expect(lines.read("telemetry_batch_dropped")).toMatchObject([
      { level: "WARN", data: { count: 1 } },
    ]);
  });
});
