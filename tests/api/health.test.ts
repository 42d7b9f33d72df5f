import { readFileSync } from "node:fs";
import type { Requester } from "@upstash/redis";
import { beforeEach, describe, expect, it, vi } from "vitest";
import health from "../../api/health.js";
import { installPlatform, platform } from "../../lib/platform/installed.js";
import { call } from "../support/call.js";
import { changeConnection } from "../support/changed-connection.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";
import { useStores } from "../support/stores.js";
import { useToolkit } from "../support/toolkit.js";

useEnvironment();
const stores = useStores();
const toolkit = useToolkit();

beforeEach(async () => {
  setEnvironment({
    EXPO_PUBLIC_TOOLKIT_URL: toolkit.url,
    TOOLKIT_API_KEY: "the-toolkit-key",
    GIT_COMMIT_SHA: "abc123",
  });
  await stores.resetCalls();
});

const check = () => call(health, "GET");
const passing = { status: "pass", observedValue: expect.any(Number), observedUnit: "ms" };

describe("GET /api/health", () => {
  it("reports the server, Postgres, Redis, the toolkit, the build and the uptime", async () => {
    const { status, headers, body } = await check();
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/health+json");
    expect(headers.get("cache-control")).toBe("no-store");
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(body).toEqual({
      status: "pass",
      version: JSON.parse(readFileSync("package.json", "utf8")).version,
      releaseId: "abc123",
      serviceId: "linguamate-backend",
      checks: {
        "server:uptime": [
          {
            componentType: "system",
            status: "pass",
            observedValue: expect.any(Number),
            observedUnit: "s",
            time,
          },
        ],
        "postgres:responseTime": [{ componentType: "datastore", ...passing, time }],
        "redis:responseTime": [{ componentType: "datastore", ...passing, time }],
        "toolkit:responseTime": [{ componentType: "component", ...passing, time }],
      },
    });
  });

  it("calls each dependency once, with the toolkit's key, and counts against no rate limit", async () => {
    const { headers } = await check();
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 4, postgresCalls: 1 });
    expect(headers.get("x-ratelimit-limit")).toBeNull();
    expect(toolkit.requests).toMatchObject([
      {
        path: "/health",
        headers: {
          authorization: "Bearer the-toolkit-key",
          "x-correlation-id": headers.get("x-correlation-id"),
        },
      },
    ]);
  });

  it.each([
    ["refused", { kind: "refuse" }, "unreachable"],
    ["cut", { kind: "reset" }, "unreachable"],
    ["garbage", { kind: "garbage" }, "unreachable"],
    ["silent", { kind: "hang" }, "no answer within 800 ms"],
  ] as const)("returns 503 within the deadline when Postgres is %s", async (_, fault, output) => {
    await stores.faults.postgres.set(fault);
    const startedAt = performance.now();
    const { status, headers, body } = await check();
    expect(performance.now() - startedAt).toBeLessThan(2500);
    expect(status).toBe(503);
    expect(headers.get("content-type")).toBe("application/health+json");
    expect(body.status).toBe("fail");
    expect(body.checks["postgres:responseTime"]).toMatchObject([{ status: "fail", output }]);
    expect(body.checks["redis:responseTime"]).toMatchObject([{ status: "pass" }]);
    expect(body.checks["toolkit:responseTime"]).toMatchObject([{ status: "pass" }]);
  });

  it.each([
    ["the password", { password: "changed" }, "DATABASE_URL is refused"],
    ["the database", { pathname: "/dropped" }, "DATABASE_URL names no database"],
  ])("returns 503 with the reason when Postgres rejects %s", async (_, changed, output) => {
    changeConnection(changed);
    const { status, body } = await check();
    expect(status).toBe(503);
    expect(body.checks["postgres:responseTime"]).toMatchObject([{ status: "fail", output }]);
  });

  it("returns 503 with the reason when Postgres has no connection left", async () => {
    const full = Object.assign(new Error("sorry, too many clients already"), { code: "53300" });
    const fetch = () => Promise.reject(new Error("unreachable", { cause: full }));
    installPlatform({ ...platform(), postgres: { ...platform().postgres, fetch } });
    const { status, body } = await check();
    expect(status).toBe(503);
    expect(body.checks["postgres:responseTime"]).toMatchObject([
      { status: "fail", output: "too many connections" },
    ]);
  });

  it("returns 503 with the reason when Postgres is read-only", async () => {
    const { postgres } = platform();
    // As a replica answers, or a provider's database whose disk is full.
    const message = "cannot execute SELECT FOR UPDATE in a read-only transaction";
    const refusal = { message, code: "25006", severity: "ERROR" };
    const reply = { ok: false, status: 400, json: async () => refusal, text: async () => "" };
    installPlatform({ ...platform(), postgres: { ...postgres, fetch: async () => reply } });
    const { status, body } = await check();
    expect(status).toBe(503);
    expect(body.checks["postgres:responseTime"]).toMatchObject([
      { status: "fail", output: "read-only: writes are refused" },
    ]);
  });

  it.each([
    ["UPSTASH_REDIS_REST_TOKEN", { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9" }],
    ["REDIS_URL", { REDIS_URL: "redis://127.0.0.1:9" }],
  ])("warns when Redis rejects %s, also while the breaker skips it", async (name, environment) => {
    const upstash = "UPSTASH_REDIS_REST_URL" in environment;
    const refused = new Error("WRONGPASS invalid username-password pair or user is disabled.");
    const redis: Requester = { request: () => Promise.reject(refused) };
    installPlatform({ ...platform(), redis });
    for (let time = 0; time < 3; time += 1) {
      // A new environment clears the cached result, but not the breaker's state.
      setEnvironment({ ...environment, ...(upstash && { UPSTASH_REDIS_REST_TOKEN: "changed" }) });
      const { status, body } = await check();
      expect(status).toBe(200);
      expect(body.checks["redis:responseTime"]).toMatchObject([
        { status: "warn", output: `${name} is refused` },
      ]);
    }
  });

  it("returns 503 with the reason when the database encoding is not UTF-8", async () => {
    const { postgres } = platform();
    const fetch: typeof postgres.fetch = (url, init) =>
      postgres.fetch(url, {
        ...init,
        body: init.body.replace("current_setting('server_encoding')", "'LATIN1'"),
      });
    installPlatform({ ...platform(), postgres: { ...postgres, fetch } });
    const { status, body } = await check();
    expect(status).toBe(503);
    expect(body.checks["postgres:responseTime"]).toMatchObject([
      { status: "fail", output: "the encoding is LATIN1: it must be UTF8" },
    ]);
  });

  it.each(["users", "security_settings"])(
    "returns 503 with the reason when the table %s is missing",
    async (table) => {
      await stores.sql(`alter table ${table} rename to renamed`);
      try {
        const { status, body } = await check();
        expect(status).toBe(503);
        expect(body.checks["postgres:responseTime"]).toMatchObject([
          { status: "fail", output: "not migrated: run db:migrate:up" },
        ]);
      } finally {
        await stores.sql(`alter table renamed rename to ${table}`);
      }
    },
  );

  it.each([
    ["refused", { kind: "refuse" }],
    ["cut", { kind: "reset" }],
    ["garbage", { kind: "garbage" }],
    ["silent", { kind: "hang" }],
  ] as const)("returns 200 with a warning that names Redis when Redis is %s", async (_, fault) => {
    await stores.faults.redis.set(fault);
    const { status, body } = await check();
    expect(status).toBe(200);
    expect(body.status).toBe("warn");
    expect(body.checks["redis:responseTime"]).toMatchObject([
      { status: "warn", output: "unreachable" },
    ]);
    expect(body.checks["postgres:responseTime"]).toMatchObject([{ status: "pass" }]);
  });

  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "full: writes are refused"],
    ["READONLY You can't write against a read only replica.", "read-only: writes are refused"],
    ["NOREPLICAS Not enough good replicas to write.", "too few replicas: writes are refused"],
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
      "it cannot save to disk: writes are refused",
    ],
    ["LOADING Redis is loading the dataset in memory", "it answers LOADING"],
    ["ERR DB index is out of range", "REDIS_URL names no database"],
    ["NOPERM this user has no permissions to run this command", "REDIS_URL is refused"],
  ])("warns when Redis answers but accepts no writes: %s", async (error, output) => {
    const { redis } = platform();
    const isWrite = (command: unknown) => (command as string[])[0] === "SET";
    const request = async (call: Parameters<Requester["request"]>[0]) => {
      const replies = (await redis.request(call)) as { result?: unknown }[];
      return replies.map((reply, at) =>
        isWrite((call.body as unknown[])[at]) ? { error } : reply,
      );
    };
    installPlatform({ ...platform(), redis: { request } as unknown as Requester });
    const { status, body } = await check();
    expect(status).toBe(200);
    expect(body.checks["redis:responseTime"]).toMatchObject([{ status: "warn", output }]);
    // Without a time it counts as down, and pages.
    expect(body.checks["redis:responseTime"][0]).not.toHaveProperty("observedValue");
  });

  it("warns when Redis may evict keys, and names the setting", async () => {
    await stores.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    try {
      const { status, body } = await check();
      expect(status).toBe(200);
      expect(body.checks["redis:responseTime"]).toMatchObject([
        { status: "warn", output: "maxmemory-policy is allkeys-lru: set noeviction" },
      ]);
    } finally {
      await stores.redis("CONFIG", "SET", "maxmemory-policy", "noeviction");
    }
  });

  it.each([
    [401, "TOOLKIT_API_KEY is refused"],
    [403, "TOOLKIT_API_KEY is refused"],
    [500, "status 500"],
    [404, "status 404"],
    ["nothing", "no answer within 800 ms"],
  ] as const)("warns when the toolkit returns %s: %s", async (answer, output) => {
    toolkit.answer = answer;
    const { status, body } = await check();
    expect(status).toBe(200);
    expect(body.status).toBe("warn");
    expect(body.checks["toolkit:responseTime"]).toMatchObject([{ status: "warn", output }]);
  });

  it("warns when the toolkit cannot be reached", async () => {
    setEnvironment({ EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9" });
    const { body } = await check();
    expect(body.checks["toolkit:responseTime"]).toMatchObject([
      { status: "warn", output: "unreachable" },
    ]);
  });

  it("checks all dependencies concurrently", async () => {
    await stores.faults.postgres.set({ kind: "hang" });
    await stores.faults.redis.set({ kind: "hang" });
    toolkit.answer = "nothing";
    const { status, body } = await check();
    expect(status).toBe(503);
    const startedAt = ["postgres", "redis", "toolkit"].map((name) =>
      Date.parse(body.checks[`${name}:responseTime`][0].time),
    );
    // Each of them takes at least 250 ms to fail.
    expect(Math.max(...startedAt) - Math.min(...startedAt)).toBeLessThan(250);
  });

  it("does not reveal addresses, keys or errors", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    await stores.faults.redis.set({ kind: "refuse" });
    const { body } = await check();
    expect(JSON.stringify(body)).not.toMatch(
      /127\.0\.0\.1|ECONN|postgres(ql)?:\/\/|toolkit-key|\.ts/,
    );
  });

  it("costs one call per dependency for any number of concurrent requests", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, check));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    for (let probe = 0; probe < 50; probe++) await check();
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 4, postgresCalls: 1 });
    expect(toolkit.requests).toHaveLength(1);
  });

  it("caches the result for 5 s, then notices a recovered store", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      await stores.faults.postgres.set({ kind: "refuse" });
      expect((await check()).status).toBe(503);
      await stores.faults.postgres.set(null);
      vi.advanceTimersByTime(4999);
      expect((await check()).status).toBe(503);
      vi.advanceTimersByTime(1);
      expect((await check()).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });
});
