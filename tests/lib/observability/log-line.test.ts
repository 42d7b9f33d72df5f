import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import { type LogLevel, logLevels } from "../../../lib/env-variables.js";
import { log } from "../../../lib/observability/logger.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "info", VERCEL: "1" });
const logs = useLogLines();

/** Variables that production warns about when they are missing. */
const production = {
  NODE_ENV: "production",
  DATA_KEY: "k4Xr9pW2vB7nQ5tM8zC1yL6sF3dH0jGa",
  RESEND_API_KEY: "re_key",
  CRON_SECRET: "the-clock-s-own-secret",
};
const about = { evt: "something_happened", cat: "test" };
const levelsAt = (logLevel: string, more: Record<string, string> = {}): LogLevel[] => {
  setEnvironment({ LOG_LEVEL: logLevel, ...more });
  for (const level of logLevels) log(level, about, "Something happened");
  return logs.read("something_happened").map(({ level }) => level);
};

describe("a request's log line", () => {
  it("has the fields of the operations guide in its order", async () => {
    setEnvironment({ LOG_LEVEL: "info", VERCEL: "1", ...production });
    const correlationId = "550e8400-e29b-41d4-a716-446655440000";
    await call(index, "GET", {
      ip: "192.168.1.1",
      headers: { "x-correlation-id": correlationId },
    });
    const [line, ...others] = logs.read();
    expect(others).toEqual([]);
    expect(line).toEqual({
      level: "INFO",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      env: "production",
      evt: "http_request",
      cat: "http",
      corr: { correlationId },
      req: { method: "GET", path: "/api/", ip: "192.168.1.1" },
      data: { status: 200, duration: expect.any(Number) },
      msg: "Request completed",
    });
    const order = ["level", "time", "env", "evt", "cat", "corr", "req", "data", "msg"];
    expect(Object.keys(line)).toEqual(order);
    expect(Object.keys(line.req)).toEqual(["method", "path", "ip"]);
    expect(Object.keys(line.data).slice(0, 2)).toEqual(["status", "duration"]);
    expect(Math.abs(Date.parse(line.time) - Date.now())).toBeLessThan(60_000);
  });

  it("is one line of JSON", async () => {
    await call(index, "GET");
    expect(logs.written()).toEqual([expect.stringMatching(/^\{[^\n]*\}\n$/)]);
  });

  it("contains the path without its query", async () => {
    await call(index, "GET", { url: "http://localhost/api/?token=hunter2" });
    expect(logs.written().join()).not.toContain("hunter2");
    expect(logs.read("http_request")).toMatchObject([{ req: { path: "/api/" } }]);
  });
});

describe("log levels", () => {
  it("are written as names", () => {
    expect(levelsAt("trace")).toEqual([...logLevels]);
  });

  it.each(logLevels)("at LOG_LEVEL %s lower levels are omitted", (level) => {
    expect(levelsAt(level)).toEqual(logLevels.slice(logLevels.indexOf(level)));
  });

  it.each(["fatal", "silent", "SILENT"])("SECURITY is written at LOG_LEVEL %s", (level) => {
    expect(levelsAt(level)).toContain("SECURITY");
    expect(levelsAt(level, { ...production })).toContain("SECURITY");
  });

  it.each(["trace", "debug"])(
    "%s is raised to INFO in production, with one WARN line",
    async (level) => {
      expect(levelsAt(level, { ...production })).toEqual(logLevels.slice(2));
      await call(index, "GET");
      await call(index, "GET");
      expect(logs.read("environment_warning")).toMatchObject([
        { level: "WARN", msg: `LOG_LEVEL ${level.toUpperCase()} is raised to INFO in production.` },
      ]);
    },
  );
});

describe("the size of a line", () => {
  const fields = (text: string) => ({
    ...about,
    correlationId: "c-1",
    req: { method: "GET", path: `/api/${text}`, ip: "10.0.0.1" },
    data: { error: text, stack: text, causes: text, reason: text, warning: text },
  });

  it.each([
    ["words", "word ".repeat(20_000)],
    ["one word", "x".repeat(100_000)],
    ["four-byte characters", "🎓 ".repeat(30_000)],
    ["characters that JSON escapes", "\u0001 ".repeat(30_000)],
  ])("is at most 16 KB with %s, and the event stays readable", (_, text) => {
    log("ERROR", fields(text), text);
    const [line = ""] = logs.written();
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16 * 1024);
    expect(line).toMatch(/\n$/);
    expect(logs.read()).toMatchObject([
      { level: "ERROR", evt: "something_happened", corr: { correlationId: "c-1" } },
    ]);
  });
});

describe("log", () => {
  it("writes synchronously, so that no line is lost when the process is killed", () => {
    const script = `
      import { log } from "./lib/observability/logger.js";
      const data = { reason: "why ".repeat(500) };
      for (let n = 0; n < 200; n++) log("INFO", { evt: "e", cat: "c", data }, String(n));
      process.kill(process.pid, "SIGKILL");`;
    const { stdout } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", script],
      {
        env: {
          ...process.env,
          JWT_SECRET: "a-secret-of-32-bytes-for-this-test",
          LOG_LEVEL: "info",
        },
        encoding: "utf8",
        maxBuffer: 1e8,
      },
    );
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(
      Array.from({ length: 200 }, (_, n) => String(n)),
    );
  });
});
