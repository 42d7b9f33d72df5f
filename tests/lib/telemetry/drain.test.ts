import { beforeEach, describe, expect, it, vi } from "vitest";
import livez from "../../../api/livez.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { metricsText } from "../../../lib/operations/metrics-text.js";
import { drainEvents } from "../../../lib/telemetry/drain.js";
import { appendEntry, type Entry, sizeOf } from "../../../lib/telemetry/stream.js";
import { takeOverDrain } from "../../../lib/telemetry/take-over.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { deleteEvents, drained, minutes, totals } from "../../support/drained.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const lines = useLogLines();
beforeEach(() => deleteEvents(stores));

const minute = Math.floor(Date.now() / 60_000) * 60_000;
const counted = seriesName("telemetry_events_total");

/** A batch of a process with this many requests. */
function aBatch(seq: number, { events = 3, ...rest }: Partial<Entry> = {}): Entry {
  const row = { at: Date.now(), n: events, route: "/api/x", method: "GET", status: 200, ms: 1 };
  const counters = { [minute]: { [counted]: events } };
  return { instance: "p", seq, release: "r", events, counters, rows: [row], ...rest };
}

async function aBacklog(batches: number): Promise<number> {
  for (let seq = 1; seq <= batches; seq++) await appendEntry(aBatch(seq));
  return batches * 3;
}

/** Checks that rows, roll-ups and totals agree, and returns the count. */
async function written() {
  const [rows] = await stores.sql("select coalesce(sum(count), 0) as sum from access_log");
  const count = Number(rows?.sum);
  const [rolledUp, total] = [await minutes(stores), await totals(stores)];
  expect(total).toEqual(rolledUp);
  expect(total[counted] ?? 0).toBe(count);
  return count;
}

const drainState = async () => (await stores.sql("select * from drain_state"))[0];
const gauges = async () =>
  Object.fromEntries(
    (await stores.sql("select series, value from telemetry_gauges")).map((row) => [
      row.series,
      Number(row.value),
    ]),
  );
const ofDrain = (body: unknown) => JSON.stringify(body).includes("drained_batches");
const ofTrim = (body: unknown) => JSON.stringify(body).includes("XTRIM");

describe("drainEvents", () => {
  it("moves all batches, in several statements if needed, and empties the stream", async () => {
    const events = await aBacklog(230);
    expect(await drained(stores)).toEqual({ events, isComplete: true });
    expect(await written()).toBe(events);
    expect(await stores.redis("XLEN", "events")).toBe(0);
    expect(await stores.redis("EXISTS", "events:bytes")).toBe(0);
  });

  it("stops when its time is over and continues from there", async () => {
    const events = await aBacklog(130);
    const first = await drainEvents(aContext(), { budgetMs: 0 });
    expect(first).toEqual({ events: 300, isComplete: false });
    const left = Array.from({ length: 30 }, (_, at) => sizeOf(JSON.stringify(aBatch(101 + at))));
    const bytes = left.reduce((sum, size) => sum + size, 0);
    expect(Number(await stores.redis("GET", "events:bytes"))).toBeCloseTo(bytes, -2);
    expect(await drained(stores)).toEqual({ events: 90, isComplete: true });
    expect(await written()).toBe(events);
  });

  it("reads each batch once, also when a statement takes only some of them", async () => {
    const route = "/api/x".padEnd(60_000, "x");
    const row = { at: Date.now(), n: 3, route, method: "GET", status: 200, ms: 1 };
    for (let seq = 1; seq <= 30; seq++) await appendEntry(aBatch(seq, { rows: [row] }));
    await stores.resetCalls();
    expect(await drained(stores)).toEqual({ events: 90, isComplete: true });
    const calls = (name: string) =>
      stores.faults.redis.calls.filter(({ body }) => JSON.stringify(body).includes(name)).length;
    expect(calls("XTRIM")).toBeGreaterThan(2);
    expect(calls("XRANGE")).toBe(1);
    expect(await written()).toBe(90);
  });

  it("writes each batch once with concurrent drains", async () => {
    const events = await aBacklog(120);
    const runs = await Promise.all(Array.from({ length: 4 }, () => drainEvents(aContext())));
    expect(runs.reduce((sum, run) => sum + run.events, 0)).toBe(events);
    expect(await written()).toBe(events);
  });

  it("writes a batch once that is in the stream twice", async () => {
    for (const seq of [1, 1, 2, 1]) await appendEntry(aBatch(seq));
    await drained(stores);
    await appendEntry(aBatch(2));
    expect(await drained(stores)).toEqual({ events: 0, isComplete: true });
    expect(await written()).toBe(6);
  });

  it("neither loses nor duplicates events when the response to its statement is lost", async () => {
    const events = await aBacklog(5);
    await stores.faults.postgres.set({ kind: "lose-reply", match: ofDrain });
    await expect(drainEvents(aContext())).rejects.toMatchObject({});
    await stores.faults.postgres.set(null);
    expect(await drained(stores)).toEqual({ events: 0, isComplete: true });
    expect(await written()).toBe(events);
    expect(await stores.redis("XLEN", "events")).toBe(0);
  });

  it("neither loses nor duplicates events when it fails before or after trimming the stream", async () => {
    for (const kind of ["reset", "lose-reply"] as const) {
      await deleteEvents(stores);
      const events = await aBacklog(5);
      await stores.faults.redis.set({ kind, match: ofTrim });
      await expect(drainEvents(aContext())).rejects.toMatchObject({});
      await stores.faults.redis.set(null);
      await vi.waitFor(() => drained(stores), { timeout: 10_000, interval: 500 });
      expect(await written()).toBe(events);
      expect(await stores.redis("XLEN", "events")).toBe(0);
    }
  });

  it("leaves everything in the stream while Postgres is unavailable", async () => {
    const events = await aBacklog(5);
    await stores.faults.postgres.set({ kind: "refuse" });
    await expect(drainEvents(aContext())).rejects.toMatchObject({});
    expect(await stores.redis("XLEN", "events")).toBe(5);
    await stores.faults.postgres.set(null);
    expect(await drained(stores)).toEqual({ events, isComplete: true });
  });

  it("records the time until which everything is drained, in Postgres and in the gate", async () => {
    await aBacklog(101);
    await stores.sql("update drain_state set drained_until = '2020-01-01'");
    await drainEvents(aContext(), { budgetMs: 0 });
    expect((await drainState())?.drained_until).toMatch(/^2020/);
    expect(await stores.redis("HGET", "gate", "lastDrain")).toBeNull();
    const beganMs = Date.now();
    await drainEvents(aContext());
    const untilMs = Date.parse((await drainState())?.drained_until ?? "");
    expect(untilMs).toBeGreaterThanOrEqual(beganMs - 1000);
    expect(untilMs).toBeLessThanOrEqual(Date.now() - 1000);
    expect(Number(await stores.redis("HGET", "gate", "lastDrain"))).toBeGreaterThanOrEqual(beganMs);
  });

  it("skips and logs invalid batches, and moves the others", async () => {
    await appendEntry(aBatch(1));
    await stores.redis("XADD", "events", "*", "b", "not JSON");
    await appendEntry(aBatch(2, { counters: { yesterday: { x: 1 } } }));
    await stores.redis("XADD", "events", "*", "hello", "world");
    await appendEntry(aBatch(3));
    expect(await drained(stores)).toEqual({ events: 6, isComplete: true });
    expect(await written()).toBe(6);
    const unreadable = lines.read("telemetry_entries_unreadable");
    expect(unreadable.map(({ level }) => level)).toContain("WARN");
    expect(JSON.stringify(unreadable)).not.toContain("hello");
  });

  it("skips incomplete batches, and moves the others", async () => {
    await appendEntry(aBatch(1));
    await stores.redis("XADD", "events", "*", "b", JSON.stringify({ instance: "h", rows: [] }));
    await appendEntry(aBatch(2, { instance: "q", rows: [{} as Entry["rows"][number]] }));
    await appendEntry(aBatch(3));
    expect(await drained(stores)).toEqual({ events: 6, isComplete: true });
    expect(await written()).toBe(6);
    expect(lines.read("telemetry_entries_unreadable")).toHaveLength(2);
  });

  it("creates today's partition if it is missing", async () => {
    const [row] = await stores.sql("select to_char(now() at time zone 'utc', 'YYYYMMDD') as day");
    await stores.sql(`drop table access_log_${row?.day}`);
    const events = await aBacklog(2);
    expect(await drained(stores)).toEqual({ events, isComplete: true });
    expect(await written()).toBe(events);
  });
});

describe("telemetry totals", () => {
  const route = (at: number) => `/api/route-${String(at).padStart(4, "0")}`;
  const total = (at: number | "other") =>
    seriesName("http_errors_total", {
      route: at === "other" ? at : route(at),
      code: at === "other" ? at : "x",
    });
  const histogram = (name: string) => ({
    [seriesName("http_request_duration_seconds", { route: name, le: "0.5" }, "_bucket")]: 1,
    [seriesName("http_request_duration_seconds", { route: name, le: "+Inf" }, "_bucket")]: 2,
    [seriesName("http_request_duration_seconds", { route: name }, "_sum")]: 700,
    [seriesName("http_request_duration_seconds", { route: name }, "_count")]: 2,
  });

  it("have at most 5,000 series, and the rest is counted under the label other", async () => {
    const series = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, at) => [total(from + at), 1]));
    await appendEntry(aBatch(1, { counters: { [minute]: { [counted]: 3, ...histogram("/a") } } }));
    await drained(stores);
    await appendEntry(aBatch(2, { counters: { [minute]: { [counted]: 3, ...series(0, 3000) } } }));
    await appendEntry(
      aBatch(3, { counters: { [minute]: { [counted]: 3, ...series(2000, 6000) } } }),
    );
    const more = { ...histogram("/a"), ...histogram("/b"), [total(5)]: 1, [total(7000)]: 1 };
    await appendEntry(aBatch(4, { counters: { [minute]: { [counted]: 3, ...more } } }));
    await drained(stores);
    const found = await totals(stores);
    expect(Object.keys(found).length).toBeLessThanOrEqual(5000);
    expect(Object.keys(found).length).toBeGreaterThan(4900);
    expect(await minutes(stores)).toEqual(found);
    const errors = Object.entries(found).filter(([name]) => name.startsWith("http_errors_total"));
    expect(errors.reduce((sum, [, value]) => sum + value, 0)).toBe(3000 + 4000 + 2);
    expect(found[total(5)]).toBe(2);
    expect(found[total("other")]).toBeGreaterThan(1000);
    // An existing histogram stays complete; one that is too late is counted completely under other.
    const twice = Object.entries(histogram("/a")).map(([name, value]) => [name, 2 * value]);
    expect(found).toMatchObject({ ...Object.fromEntries(twice), ...histogram("other") });
    expect(Object.keys(found).filter((name) => name.includes('"/b"'))).toEqual([]);
  });
});

const full = 40_000;

/** Sets the used share of the budget, which a process learns from the reply to its previous batch. */
async function fill(share: number, { keepsBatch = false } = {}): Promise<void> {
  const bytes = String(Math.round(share * full));
  await stores.redis("SET", "events:bytes", bytes);
  await call(livez, "GET");
  await stores.settled();
  asNewProcess();
  if (keepsBatch) return;
  await stores.redis("DEL", "events");
  await stores.redis("SET", "events:bytes", bytes);
}

function asNewProcess(): void {
  Reflect.deleteProperty(globalThis, Symbol.for("linguamate.drainTurn"));
}

describe("a stream that is filling up", () => {
  useEnvironment({ LOG_LEVEL: "info", TELEMETRY_STREAM_BYTES_MAX: String(full) });

  const broken = (at: number) =>
    call(livez, at % 10 === 0 ? "POST" : "GET", { ip: `10.1.${at}.1` });
  const rows = () => stores.sql("select * from access_log");

  it("stores one row in ten above half of the budget, and counts all", async () => {
    await fill(0.55);
    for (let at = 0; at < 40; at++) await broken(at);
    await drained(stores);
    const kept = await rows();
    expect(kept).toHaveLength(4);
    expect(kept.map(({ one_in }) => one_in)).toEqual(Array(4).fill("10"));
    expect((await totals(stores)).telemetry_events_total).toBe(40);
  });

  it("stores only counts above four fifths of the budget", async () => {
    await fill(0.85);
    for (let at = 0; at < 10; at++) await broken(at);
    expect((await drained(stores)).events).toBe(10);
    expect(await rows()).toEqual([]);
    expect((await totals(stores)).telemetry_events_total).toBe(10);
  });

  it("drops batches when the budget is used up, counts them, and recovers", async () => {
    await fill(1.1);
    for (let at = 0; at < 5; at++) {
      await broken(at);
      await stores.settled();
    }
    expect(await stores.redis("XLEN", "events")).toBe(0);
    await stores.redis("DEL", "events:bytes");
    await broken(5);
    await drained(stores);
    expect(await totals(stores)).toMatchObject({
      telemetry_lost_batches_total: 5,
      telemetry_events_total: 1,
    });
  });

  const aMinuteLater = () =>
    stores.sql("update telemetry_gauges set measured_at = measured_at - interval '90 seconds'");

  it.each([
    [0.1, 0],
    [0.55, 1],
    [0.85, 2],
  ])(
    "is reported by a gauge for the minute in which %d of the budget was used: %i",
    async (share, mode) => {
      await fill(share);
      await broken(0);
      await stores.settled();
      await drained(stores);
      expect((await gauges()).telemetry_mode).toBe(mode);
      // A scrape drains first, and this batch has the current mode.
      await stores.redis("DEL", "events:bytes");
      await broken(1);
      expect(await metricsText(aContext())).toContain(`\ntelemetry_mode ${mode}\n`);
      await aMinuteLater();
      await drainEvents(aContext());
      expect((await gauges()).telemetry_mode).toBe(0);
    },
  );

  it("is reported as the highest mode of the drained batches; a batch without a mode counts as 0", async () => {
    await appendEntry(aBatch(1));
    await appendEntry(aBatch(2, { mode: 2 }));
    await appendEntry(aBatch(3, { mode: 1 }));
    await drainEvents(aContext());
    expect((await gauges()).telemetry_mode).toBe(2);
    await aMinuteLater();
    await appendEntry(aBatch(4, { mode: 1 }));
    await drainEvents(aContext());
    expect((await gauges()).telemetry_mode).toBe(1);
  });

  it("is reported with the lag of the waiting batches", async () => {
    await aBacklog(101);
    await drainEvents(aContext(), { budgetMs: 0 });
    expect((await gauges()).telemetry_drain_lag_seconds).toBeGreaterThan(0);
    await drainEvents(aContext());
    expect(await gauges()).toEqual({ telemetry_mode: 0, telemetry_drain_lag_seconds: 0 });
  });
});

describe("takeOverDrain", () => {
  const agedGate = (ageMs: number) => ({
    revokeAllBefore: 0,
    flags: null,
    toolkitBreaker: null,
    isRestoring: false,
    lastDrainMs: Date.now() - ageMs,
  });
  const takeOver = (ageMs: number) => takeOverDrain({ ...aContext(), gate: agedGate(ageMs) });

  beforeEach(asNewProcess);

  it("drains once in a while when the last drain was over 90 s ago", async () => {
    await aBacklog(2);
    await takeOver(60_000);
    await takeOverDrain({ ...aContext(), gate: null });
    expect(await written()).toBe(0);
    await takeOver(100_000);
    expect(await written()).toBe(6);
    await appendEntry(aBatch(3));
    await takeOver(100_000);
    expect(await written()).toBe(6);
  });

  describe("when the stream is filling up", () => {
    useEnvironment({ LOG_LEVEL: "info", TELEMETRY_STREAM_BYTES_MAX: String(full) });

    it("drains before rows are left out", async () => {
      await fill(0.2, { keepsBatch: true });
      await takeOver(1000);
      expect(await written()).toBe(0);
      await fill(0.3, { keepsBatch: true });
      await takeOver(1000);
      expect(await written()).toBe(2);
      expect((await gauges()).telemetry_mode).toBe(0);
    });

    it("drains at most once in 5 s, and in one process", async () => {
      await fill(0.3, { keepsBatch: true });
      await takeOver(1000);
      expect(await written()).toBe(1);
      await fill(0.3, { keepsBatch: true });
      await takeOver(1000);
      expect(await written()).toBe(1);
      await stores.redis("DEL", "events:drain");
      await takeOver(1000);
      expect(await written()).toBe(1);
      asNewProcess();
      await takeOver(1000);
      expect(await written()).toBe(2);
    });

    it("leaves the stream as it is while Postgres or Redis refuses", async () => {
      await fill(0.3, { keepsBatch: true });
      for (const store of [stores.faults.redis, stores.faults.postgres]) {
        await store.set({ kind: "refuse" });
        await takeOver(1000);
        await store.set(null);
        asNewProcess();
        await stores.redis("DEL", "events:drain");
      }
      expect(await written()).toBe(0);
      expect(await stores.redis("XLEN", "events")).toBe(1);
      expect(lines.read("drain_take_over_failed")).toHaveLength(2);
    });
  });
});
