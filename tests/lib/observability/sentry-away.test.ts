import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import { openSentry } from "../../../lib/observability/sentry.js";
import { startTrace } from "../../../lib/trace.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { failing } from "../../support/failing.js";
import { useLogLines } from "../../support/log-lines.js";
import { useSentry } from "../../support/sentry.js";
import { settled } from "../../support/wait-until.js";

const sentry = useSentry();
const logs = useLogLines();
useEnvironment({ LOG_LEVEL: "info" });

const slot = Symbol.for("linguamate.sentry");
/** Resets the state to that of a new process. */
const asNew = () => {
  delete (globalThis as { [slot]?: unknown })[slot];
  setEnvironment({ LOG_LEVEL: "info" });
};
const headers = { "sentry-trace": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1" };
const warnings = () =>
  logs.read("sentry_unavailable").map(({ level, data }) => [level, data.reason]);

describe("an unavailable Sentry", () => {
  it("does not delay the response, delays the invocation by 2 s, and is logged once", async () => {
    asNew();
    sentry.endpoint.fail({ kind: "hang" });
    const startedAt = performance.now();
    const { status } = await call(index, "GET", { headers });
    const repliedAt = performance.now();
    expect(status).toBe(200);
    expect(sentry.endpoint.requests()).toBe(0);
    await settled();
    const waitedMs = performance.now() - repliedAt;
    expect(repliedAt - startedAt).toBeLessThan(1500);
    expect(waitedMs).toBeGreaterThan(1500);
    expect(waitedMs).toBeLessThan(4000);
    await expect.poll(warnings).toEqual([["WARN", "timeout"]]);
    await call(failing(new Error("no")), "GET");
    await settled();
    expect(warnings()).toHaveLength(1);
    expect(sentry.endpoint.requests()).toBe(1);
  });

  it.each([
    ["closes connections", { kind: "reset" }],
    ["fails", { kind: "error", status: 502 }],
  ] as const)("is skipped for a while when it %s", async (_, fault) => {
    asNew();
    sentry.endpoint.fail(fault);
    for (let n = 0; n < 5; n++) {
      expect((await call(index, "GET", { headers })).status).toBe(200);
      await settled();
    }
    expect(sentry.endpoint.requests()).toBe(1);
    asNew();
    sentry.endpoint.fail(null);
    await call(index, "GET", { headers });
    expect(await sentry.received("transaction")).toHaveLength(1);
  });

  it("is skipped for the time in Retry-After", async () => {
    asNew();
    sentry.endpoint.fail({ kind: "rate-limit", retryAfterSeconds: 60 });
    for (let n = 0; n < 5; n++) {
      await call(index, "GET", { headers });
      await settled();
    }
    expect(sentry.endpoint.requests()).toBe(1);
  });

  it("still receives everything when it is slow", async () => {
    asNew();
    sentry.endpoint.fail({ kind: "latency", ms: 300 });
    await Promise.all(Array.from({ length: 20 }, () => call(index, "GET", { headers })));
    expect(await sentry.received("transaction")).toHaveLength(20);
  });

  it("does not affect a response when it refuses the key", async () => {
    asNew();
    setEnvironment({ SENTRY_DSN: sentry.endpoint.dsn.replace(/\/\/[^@]+/, "//anotherkey") });
    expect((await call(index, "GET", { headers })).status).toBe(200);
    expect(await sentry.received("transaction")).toEqual([]);
    expect(sentry.endpoint.requests()).toBe(1);
  });

  it("is waited for without an error", async () => {
    sentry.endpoint.fail({ kind: "reset" });
    const reasons: string[] = [];
    const { report, flush } = openSentry({
      dsn: sentry.endpoint.dsn,
      release: "test",
      environment: "test",
      sampleRate: 1,
      onFailure: (reason) => reasons.push(reason),
    });
    report({
      trace: startTrace(new Headers(), 1, () => true),
      route: "/api/test",
      method: "GET",
      status: 500,
      code: "internal_error",
      correlationId: "test",
      userId: undefined,
      endedAtMs: Date.now(),
      // One delivery: two could fail at the same time.
      errors: [],
      checkIn: undefined,
    });
    await expect(flush(1000)).resolves.toBeUndefined();
    expect(reasons).toEqual(["network"]);
  });
});
