import { beforeEach, describe, expect, it } from "vitest";
import { atMostPerMinute } from "../../lib/at-most-per-minute.js";
import { isInSample, startTrace, traceHeaders, withSpan } from "../../lib/trace.js";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
let isCallerBelieved: () => boolean;
beforeEach(() => {
  isCallerBelieved = atMostPerMinute(60);
});
const opened = (headers: Record<string, string>, rate = 0.2) =>
  startTrace(new Headers(headers), rate, isCallerBelieved);

describe("isInSample", () => {
  const ids = Array.from({ length: 20_000 }, (_, n) => n.toString(16).padStart(32, "0"));

  it.each([0.01, 0.2, 0.5])("selects the share %s of all trace IDs", (rate) => {
    const share = ids.filter((id) => isInSample(id, rate)).length / ids.length;
    expect(Math.abs(share - rate)).toBeLessThan(0.012);
  });

  it("is the same in every process and release", () => {
    const first = ids.slice(0, 24).filter((id) => isInSample(id, 0.2));
    expect(first.map((id) => Number.parseInt(id, 16))).toEqual([3, 5, 21]);
  });

  it("keeps the selected IDs when the share grows", () => {
    const small = ids.filter((id) => isInSample(id, 0.1));
    expect(small.every((id) => isInSample(id, 0.3))).toBe(true);
  });

  it("selects all IDs at 1 and none at 0", () => {
    expect(ids.every((id) => isInSample(id, 1))).toBe(true);
    expect(ids.some((id) => isInSample(id, 0))).toBe(false);
  });
});

describe("openTrace", () => {
  it.each([
    [{ "sentry-trace": `${traceId}-${spanId}` }],
    [{ "sentry-trace": `${traceId}-${spanId}-1` }],
    [{ traceparent: `00-${traceId}-${spanId}-01` }],
    [{ traceparent: `01-${traceId}-${spanId}-01-more` }],
    [
      {
        "sentry-trace": `${traceId}-${spanId}-1`,
        traceparent: `00-${spanId}${spanId}-${spanId}-00`,
      },
    ],
  ])("continues the trace of %j", (headers) => {
    expect(opened(headers)).toMatchObject({ traceId, parentSpanId: spanId });
  });

  it.each([
    ["no headers", {}],
    ["an invalid trace", { "sentry-trace": "hello", traceparent: "hello" }],
    ["an ID of zeros", { traceparent: `00-${"0".repeat(32)}-${spanId}-01` }],
    ["a parent of zeros", { traceparent: `00-${traceId}-${"0".repeat(16)}-01` }],
    ["an invalid version", { traceparent: `ff-${traceId}-${spanId}-01` }],
    ["extra fields for its version", { traceparent: `00-${traceId}-${spanId}-01-more` }],
    ["capitals", { traceparent: `00-${traceId.toUpperCase()}-${spanId}-01` }],
  ])("starts a new trace for %s", (_, headers) => {
    const [one, two] = [opened(headers as Record<string, string>), opened({})];
    expect(one.traceId).toMatch(/^[\da-f]{32}$/);
    expect(one.parentSpanId).toBeUndefined();
    expect(one.traceId).not.toBe(two.traceId);
    expect(one.traceId).not.toBe(traceId);
  });

  it("follows the caller's sampling decision, otherwise the ID", () => {
    const isSampled = (id: string, decision: string) =>
      opened({ "sentry-trace": `${id}-${spanId}${decision}` }).isSampled;
    const ids = Array.from({ length: 50 }, (_, n) => n.toString(16).padStart(32, "0"));
    expect(ids.map((id) => isSampled(id, "-1"))).toEqual(ids.map(() => true));
    expect(ids.map((id) => isSampled(id, "-0"))).toEqual(ids.map(() => false));
    expect(ids.map((id) => isSampled(id, ""))).toEqual(ids.map((id) => isInSample(id, 0.2)));
    expect(opened({ traceparent: `00-${traceId}-${spanId}-00` }, 1).isSampled).toBe(false);
    expect(opened({ traceparent: `00-${traceId}-${spanId}-03` }, 0.0001).isSampled).toBe(true);
  });

  it("is never sampled at a rate of 0", () => {
    expect(opened({ "sentry-trace": `${traceId}-${spanId}-1` }, 0).isSampled).toBe(false);
  });

  it("follows at most 60 callers' decisions a minute, then the ID", () => {
    const ids = Array.from({ length: 2000 }, (_, n) => n.toString(16).padStart(32, "a"));
    const sampled = ids.filter((id) => opened({ "sentry-trace": `${id}-${spanId}-1` }).isSampled);
    const byId = ids.filter((id) => isInSample(id, 0.2));
    expect(sampled).toEqual(expect.arrayContaining(byId));
    expect(sampled.length - byId.length).toBeLessThanOrEqual(60);
  });

  it("is propagated with the span of this request", () => {
    const trace = opened({ traceparent: `00-${traceId}-${spanId}-01` }, 1);
    expect(traceHeaders(trace)).toEqual({
      "sentry-trace": `${traceId}-${trace.spanId}-1`,
      traceparent: `00-${traceId}-${trace.spanId}-01`,
    });
    expect(traceHeaders(undefined)).toEqual({});
  });
});

describe("a span", () => {
  it("is recorded with its outcome, and rethrows a failure", async () => {
    const trace = opened({}, 1);
    const failure = new Error("no");
    await withSpan(
      trace,
      "db",
      () => "select 1",
      async () => 1,
    );
    await withSpan(
      trace,
      "http.client",
      () => "refused",
      async () => 1,
      () => false,
    );
    const failing = withSpan(
      trace,
      "db.redis",
      () => "GET",
      () => Promise.reject(failure),
    );
    await expect(failing).rejects.toBe(failure);
    expect(trace.spans.map(({ description, isOk }) => [description, isOk])).toEqual([
      ["select 1", true],
      ["refused", false],
      ["GET", false],
    ]);
    for (const { startedAtMs, endedAtMs } of trace.spans) {
      expect(startedAtMs).toBeGreaterThanOrEqual(trace.startedAtMs);
      expect(endedAtMs).toBeGreaterThanOrEqual(startedAtMs);
    }
  });

  it("is not described when the trace is not sampled", async () => {
    const trace = opened({}, 0);
    const describe = () => {
      throw new Error("described");
    };
    expect(await withSpan(trace, "db", describe, async () => 7)).toBe(7);
    expect(await withSpan(undefined, "db", describe, async () => 7)).toBe(7);
    expect(trace.spans).toEqual([]);
  });

  it("is limited in number", async () => {
    const trace = opened({}, 1);
    for (let n = 0; n < 2000; n++)
      await withSpan(
        trace,
        "db",
        () => "",
        async () => n,
      );
    expect(trace.spans).toHaveLength(500);
  });
});
