import { beforeEach, describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import metricsRoute from "../../api/metrics.js";
import user from "../../api/user/index.js";
import { type MetricName, metrics, seriesName } from "../../lib/observability/metrics.js";
import { seriesMax } from "../../lib/telemetry/metrics/exposition.js";
import { version } from "../../lib/version.js";
import { call } from "../support/call.js";
import { drained, totals } from "../support/drained.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";
import { useLogLines } from "../support/log-lines.js";
import { aUser } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const token = "the-scrapers-token-of-the-tests";
const environment = { METRICS_TOKEN: token, GIT_COMMIT_SHA: "abc123" };
useEnvironment(environment);

const scrape = () => call(metricsRoute, "GET", { token });
const samples = async () => (await scrape()).body.split("\n") as string[];

async function total(name: MetricName, labels: Record<string, string>, value: number) {
  await keep(seriesName(name, labels), value);
}

async function keep(series: string, value: number) {
  await stores.sql("insert into telemetry_totals values ($1, $2)", series, String(value));
}

async function gauge(series: string, value: number, ageSeconds = 0) {
  await stores.sql(
    "insert into telemetry_gauges values ($1, $2, now() - make_interval(secs => $3::int))",
    series,
    String(value),
    String(ageSeconds),
  );
}

beforeEach(async () => {
  for (const table of ["telemetry_totals", "telemetry_gauges"]) {
    await stores.sql(`delete from ${table}`);
  }
  await stores.redis("FLUSHDB");
});

describe("GET /api/metrics", () => {
  it("returns every type of metric in the Prometheus text format", async () => {
    await total("http_requests_total", { route: "/api/user", method: "GET", status: "200" }, 7);
    await total("http_requests_total", { route: "/api/user", method: "GET", status: "401" }, 2);
    for (const [le, value] of [["0.5", 3] as const, ["1", 4] as const]) {
      await keep(
        seriesName("http_request_duration_seconds", { route: "/api/user", le }, "_bucket"),
        value,
      );
    }
    const route = { route: "/api/user" };
    await keep(seriesName("http_request_duration_seconds", route, "_sum"), 1_234_567);
    await keep(seriesName("http_request_duration_seconds", route, "_count"), 9);
    await gauge(seriesName("active_sessions"), 12);
    const { status, headers, body } = await scrape();
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(headers.get("content-length")).toBe(String(Buffer.byteLength(body)));
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toContain(
      ["# HELP http_requests_total Completed requests.", "# TYPE http_requests_total counter"].join(
        "\n",
      ),
    );
    expect(body).toContain(
      [
        'http_requests_total{route="/api/user",method="GET",status="200"} 7',
        'http_requests_total{route="/api/user",method="GET",status="401"} 2',
      ].join("\n"),
    );
    expect(body).toContain(
      [
        "# HELP http_request_duration_seconds Request duration.",
        "# TYPE http_request_duration_seconds histogram",
        "",
      ].join("\n"),
    );
    expect(body).toContain('http_request_duration_seconds_bucket{route="/api/user",le="0.01"} 0');
    expect(body).toContain(
      [
        'http_request_duration_seconds_bucket{route="/api/user",le="0.5"} 3',
        'http_request_duration_seconds_bucket{route="/api/user",le="1"} 4',
      ].join("\n"),
    );
    expect(body).toContain(
      [
        'http_request_duration_seconds_bucket{route="/api/user",le="+Inf"} 9',
        'http_request_duration_seconds_sum{route="/api/user"} 1.234567',
        'http_request_duration_seconds_count{route="/api/user"} 9',
      ].join("\n"),
    );
    expect(body).toContain(
      "# HELP active_sessions Live sessions.\n# TYPE active_sessions gauge\nactive_sessions 12\n",
    );
    expect(body).toMatch(/[^\n]\n$/);
  });

  it("names every metric in the first scrape, with 0 for the known series of each counter", async () => {
    const body = await samples();
    for (const [name, { type, help }] of Object.entries(metrics)) {
      expect(body).toContain(`# HELP ${name} ${help}`);
      expect(body).toContain(`# TYPE ${name} ${type}`);
    }
    expect(body).toEqual(
      expect.arrayContaining([
        "telemetry_lost_batches_total 0",
        "telemetry_events_total 0",
        'http_requests_total{route="/api/auth/login",method="POST",status="200"} 0',
        'http_request_duration_seconds_bucket{route="unmatched",le="+Inf"} 0',
        'http_errors_total{route="/api/user",code="service_unavailable"} 0',
        'rate_limit_calls_total{policy="default",decided_by="local"} 0',
        'rate_limit_near_max_total{policy="bad-signatures"} 0',
        'rate_limit_hits_total{policy="auth-failures",route="/api/auth/login"} 0',
        'external_api_calls_total{service="toolkit",operation="transcribe",outcome="timeout"} 0',
        'external_api_duration_seconds_count{service="mail",operation="send"} 0',
        'jwt_verification_failures_total{reason="expired"} 0',
        'security_events_total{event="login_failed"} 0',
        'cron_outage_seconds{job="cleanup"} 0',
        'circuit_breaker_state{service="toolkit"} 0',
      ]),
    );
    const values = body.filter((line) => line && !line.startsWith("#"));
    expect(values.length).toBeLessThan(seriesMax / 2);
    // A gauge that nothing has measured has no value.
    expect(values.filter((line) => /^(alert_active|active_sessions|probe_)/.test(line))).toEqual(
      [],
    );
  });

  it("counts on from the announced 0, in the same series", async () => {
    await total("security_events_total", { event: "login_failed" }, 3);
    await total("jwt_verification_failures_total", { reason: "form" }, 2);
    const found = (await samples()).filter((line) => /"(login_failed|form)"/.test(line));
    expect(found).toEqual([
      'jwt_verification_failures_total{reason="form"} 2',
      'security_events_total{event="login_failed"} 3',
    ]);
  });

  it("announces each limit, token failure and call under the labels that requests count", async () => {
    const known = new Set((await samples()).map((line) => line.replace(/ \S+$/, "")));
    await call(user, "GET", { token: "x.y.z" });
    await call(login, "POST", { body: { email: "nobody@example.com", password: "wrong" } });
    await drained(stores);
    const counted = Object.keys(await totals(stores)).filter((name) =>
      /^(rate_limit_calls|jwt_|security_|external_api_calls)/.test(name),
    );
    expect(counted.length).toBeGreaterThan(4);
    expect(counted.filter((name) => !known.has(name))).toEqual([]);
  });

  it("includes the release in build_info", async () => {
    expect(await samples()).toContain(`build_info{version="${version}",sha="abc123"} 1`);
  });

  it("reports the drain lag even when the drain cannot run, and never a negative one", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    await stores.sql("update drain_state set drained_until = now() - interval '100 s'");
    const lag = async () =>
      Number((await scrape()).body.match(/^telemetry_drain_lag_seconds (\S+)$/m)?.[1]);
    expect(await lag()).toBeGreaterThanOrEqual(100);
    expect(await lag()).toBeLessThan(130);
    await gauge("telemetry_drain_lag_seconds", 3);
    expect(await lag()).toBeGreaterThanOrEqual(100);
    await stores.sql("update drain_state set drained_until = now() + interval '100 s'");
    expect(await lag()).toBe(0);
  });

  it("omits gauges that were not measured recently and keeps the others", async () => {
    const job = 'cron_last_success_timestamp_seconds{job="cleanup"}';
    await gauge(seriesName("active_sessions"), 12, 310);
    await gauge(job, 1_700_000_000, 7200);
    await gauge(seriesName("probe_failed", { probe: "redis" }), 1, 310);
    await gauge(seriesName("probe_failed", { probe: "postgres" }), 0, 60);
    const body = await samples();
    expect(body).toContain(`${job} 1700000000`);
    expect(body).toContain('probe_failed{probe="postgres"} 0');
    expect(body.filter((line) => /^active_sessions|probe="redis"/.test(line))).toEqual([]);
  });

  it.each([
    ["that never opened", null, 0],
    ["that closed again", "closed:3:0", 0],
    ["that is open", `open:4:${Date.now() + 3_600_000}`, 2],
    ["that is half-open", "open:4:1000", 1],
    ["that an operator has forced open", "forced_open:5:0", 2],
  ])("reports the state of a breaker %s", async (_, field, state) => {
    if (field !== null) await stores.redis("HSET", "gate", "breaker:toolkit", field);
    expect(await samples()).toContain(`circuit_breaker_state{service="toolkit"} ${state}`);
  });

  it("works without Redis, with the breaker's last recorded state", async () => {
    const breaker = seriesName("circuit_breaker_state", { service: "toolkit" });
    await gauge(breaker, 2);
    expect(await samples()).toContain(`${breaker} 0`);
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await scrape()).toMatchObject({ status: 200 });
    expect(await samples()).toContain(`${breaker} 2`);
    await stores.sql("delete from telemetry_gauges");
    expect((await scrape()).body).not.toContain("circuit_breaker_state{");
  });

  it("returns 503 without Postgres, so that the scrape fails visibly", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await scrape()).toMatchObject({ status: 503, code: "service_unavailable" });
  });

  it("costs one Postgres call and one Redis command", async () => {
    for (const status of ["200", "404", "500"]) {
      await total("http_requests_total", { route: "/api/user", method: "GET", status }, 1);
    }
    await scrape();
    await stores.resetCalls();
    await scrape();
    const reads = stores.faults.postgres.calls.filter(({ body }) =>
      JSON.stringify(body).includes("from telemetry_totals union all"),
    );
    expect(reads).toHaveLength(1);
    const { postgresCalls, ...redis } = stores.calls();
    expect(redis).toEqual({ redisTrips: 1, redisCommands: 1 });
    expect(postgresCalls).toBeLessThanOrEqual(1);
  });

  it("returns 401 without the metrics token, without any I/O", async () => {
    const { accessToken } = await aUser();
    await stores.resetCalls();
    const strangers = [
      {},
      { token: "guess" },
      { headers: { authorization: `Basic ${token}` } },
      { token: accessToken },
    ];
    for (const stranger of strangers) {
      const answer = await call(metricsRoute, "GET", stranger);
      expect(answer).toMatchObject({ status: 401, code: "metrics_token_invalid" });
    }
    expect(stores.calls()).toMatchObject({ redisTrips: 0 });
    expect(lines.read("metrics_token_invalid")).toHaveLength(strangers.length);
  });

  it("returns 401 when no metrics token is configured", async () => {
    setEnvironment({ ...environment, METRICS_TOKEN: "" });
    for (const nothing of [{}, { token: "" }, { token: "undefined" }]) {
      expect(await call(metricsRoute, "GET", nothing)).toMatchObject({ status: 401 });
    }
  });

  it("is served under any host name", async () => {
    setEnvironment({ ...environment, ALLOWED_HOSTS: "linguamate.com" });
    const url = "http://10.0.0.7:8080/api/metrics";
    expect(await call(metricsRoute, "GET", { token, url })).toMatchObject({ status: 200 });
  });

  it("answers HEAD without a body", async () => {
    const { status, headers, body } = await call(metricsRoute, "HEAD", { token });
    expect({ status, body }).toEqual({ status: 200, body: undefined });
    expect(headers.get("content-type")).toContain("text/plain");
  });

  it("includes every metric in the operations guide's table", () => {
    expect(Object.keys(metrics)).toEqual(
      expect.arrayContaining([
        "http_requests_total",
        "http_request_duration_seconds",
        "http_errors_total",
        "rate_limit_hits_total",
        "external_api_calls_total",
        "external_api_duration_seconds",
        "jwt_verification_failures_total",
        "active_sessions",
        "security_events_total",
        "circuit_breaker_state",
        "cron_last_success_timestamp_seconds",
        "telemetry_drain_lag_seconds",
        "telemetry_lost_batches_total",
        "build_info",
      ]),
    );
  });
});
