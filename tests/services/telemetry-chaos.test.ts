import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { bundleOptions } from "../../dev/build/bundle.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";
import type { BatchLine } from "../support/telemetry-worker.js";

/** For a longer manual run: CHAOS_SECONDS=60. */
const durationMs = Number(process.env.CHAOS_SECONDS ?? 12) * 1000;
const roles = ["produce", "produce", "produce", "drain", "drain", "drain", "drain"] as const;
/** The maximum number of events in a batch. */
const batchMax = 100;
/** Parallel requests of one process: so many may have a reply but not be in a batch yet. */
const inFlightMax = 12;

let folder = "";
let database: Awaited<ReturnType<typeof createDatabase>>;
let pool: pg.Pool;
let redis: RedisBackend;
let postgresProxy: CutProxy;
let redisProxy: CutProxy;

beforeAll(async () => {
  // Inside the project, so that native packages resolve.
  folder = mkdtempSync(resolve("node_modules", ".telemetry-chaos-"));
  const entry = { in: "tests/support/telemetry-worker.ts", out: "worker" };
  await build(bundleOptions([entry], folder));
  database = await createDatabase(inject("migrated"));
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {});
  redis = await openWorkerRedis();
  postgresProxy = await startCutProxy(database.url);
  redisProxy = await startCutProxy(workerRedisUrl());
});
afterAll(async () => {
  await Promise.all([postgresProxy.close(), redisProxy.close()]);
  await redis.close();
  await pool.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

interface Worker {
  role: (typeof roles)[number];
  /** Finish the work in progress and exit. */
  end(): Promise<void>;
  kill(): Promise<void>;
  /** True after the first reply: before it a kill cannot lose anything. */
  hasAnswered(): boolean;
}

let started = 0;

/** A worker writes directly to a file, so that a kill loses none of its output. */
function start(role: Worker["role"]): Worker {
  const file = join(folder, `${++started}.${role}.log`);
  const output = openSync(file, "a");
  const script = [join(folder, "worker.mjs"), role, postgresProxy.url, redisProxy.url];
  const child: ChildProcess = spawn(process.execPath, script, {
    stdio: ["ignore", output, output],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: "test",
      LOG_LEVEL: "info",
      JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
      // No row may be dropped: the test compares rows and totals.
      TELEMETRY_STREAM_BYTES_MAX: String(2 ** 30),
    },
  });
  closeSync(output);
  const gone = once(child, "exit");
  const signal = (name: NodeJS.Signals) => async () => {
    child.kill(name);
    await gone;
  };
  const hasAnswered = () => statSync(file).size > 0;
  return { role, end: signal("SIGTERM"), kill: signal("SIGKILL"), hasAnswered };
}

/** Kill random processes one after another, and replace each. */
async function keepKilling(workers: Worker[], isOver: () => boolean) {
  const kills = { produce: 0, drain: 0 };
  while (!isOver()) {
    await sleep(300 + Math.random() * 400);
    const at = Math.floor(Math.random() * workers.length);
    const worker = workers[at];
    if (!worker || (worker.role === "produce" && !worker.hasAnswered())) continue;
    await worker.kill();
    kills[worker.role]++;
    workers[at] = start(worker.role);
  }
  return kills;
}

/**
 * Cut off one store, then the other, for less and for more than a timeout. Redis less often: after a cut
 * it is skipped for 2 s, and nothing is sent that could be lost or duplicated.
 */
async function keepCutting(isOver: () => boolean): Promise<number> {
  let cuts = 0;
  while (!isOver()) {
    const proxy = cuts++ % 4 === 0 ? redisProxy : postgresProxy;
    await sleep(400 + Math.random() * 600);
    proxy.cut();
    await sleep(50 + Math.random() * 500);
    proxy.restore();
  }
  return cuts;
}

type Line = { evt: string; corr?: { correlationId: string } } & Partial<Omit<BatchLine, "evt">>;

/** The output lines of a role, one list per process. */
function written(role: Worker["role"]): Line[][] {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.${role}.log`));
  return files.map((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .flatMap((text): Line[] => {
        try {
          return [JSON.parse(text)];
        } catch {
          // A killed process may have written half a line.
          return [];
        }
      }),
  );
}

/** The batches in the lines of one event name, with their numbers of events. */
function batches(lines: Line[], evt: BatchLine["evt"]): Map<string, number> {
  const found = lines.filter((line) => line.evt === evt);
  return new Map(found.map(({ instance, seq, events }) => [`${instance} ${seq}`, Number(events)]));
}

const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
const rows = async (text: string) => (await pool.query(text)).rows;
const total = async (text: string) => Number((await rows(text))[0]?.total ?? 0);
const series = async (table: string) =>
  rows(`select series, sum(value)::text as value from ${table} group by series order by series`);

describe("producers and four drains under kills and store outages", () => {
  it("keep every acknowledged event exactly once in rows, minutes and totals", async () => {
    const workers = roles.map((role) => start(role));
    let isOver = false;
    const killing = keepKilling(workers, () => isOver);
    const cutting = keepCutting(() => isOver);
    await sleep(durationMs);
    // A busy machine needs longer to produce enough batches.
    const enough = () => batches(written("produce").flat(), "batch_taken").size;
    await expect.poll(enough, { timeout: 60_000, interval: 500 }).toBeGreaterThan(20);
    isOver = true;
    const [kills, cuts] = await Promise.all([killing, cutting]);
    expect(kills.produce).toBeGreaterThan(0);
    expect(kills.drain).toBeGreaterThan(0);
    expect(cuts).toBeGreaterThan(2);

    await Promise.all(workers.filter(({ role }) => role === "produce").map(({ end }) => end()));
    await expect
      .poll(() => redis.call(["XLEN", "events"]), { timeout: 40_000, interval: 200 })
      .toBe(0);
    await Promise.all(workers.map(({ end }) => end()));

    const processes = written("produce");
    const lines = processes.flat();
    const sent = batches(lines, "batch_sent");
    const taken = batches(lines, "batch_taken");
    const drainedRows = await rows("select instance, seq, events from drained_batches");
    const drained = new Map<string, number>(
      drainedRows.map(({ instance, seq, events }) => [`${instance} ${seq}`, Number(events)]),
    );

    // Every batch that Redis acknowledged was drained; every drained batch is equal to the sent one.
    expect([...taken].filter(([batch]) => !drained.has(batch))).toEqual([]);
    expect([...drained].filter(([batch, events]) => sent.get(batch) !== events)).toEqual([]);

    // Rows, minutes and totals agree exactly.
    const events = sum(drained.values());
    expect(await total("select sum(count) as total from access_log")).toBe(events);
    expect(
      await total(
        "select value as total from telemetry_totals where series = 'telemetry_events_total'",
      ),
    ).toBe(events);
    expect(
      await total(`select sum(value) as total from telemetry_totals
        where series like 'http_requests_total{%'`),
    ).toBe(events);
    expect(await series("telemetry_minutes")).toEqual(await series("telemetry_totals"));

    // Undrained events are on stdout: batches that Redis did not accept, and the open batch of a killed
    // process. A process that ended normally has no unsent events.
    const requested = lines.filter(({ evt }) => evt === "http_request");
    const onStdout = new Set(requested.map(({ corr }) => corr?.correlationId));
    const named = await rows("select correlation_id from access_log where count = 1");
    expect(named.filter(({ correlation_id }) => !onStdout.has(correlation_id))).toEqual([]);
    const unsent = processes.map((own) => {
      const answered = own.filter(({ evt }) => evt === "http_request").length;
      const left = answered - sum(batches(own, "batch_sent").values());
      const hasEnded = own.some(({ evt }) => evt === "ended");
      expect(left).toBeGreaterThanOrEqual(0);
      expect(left).toBeLessThanOrEqual(hasEnded ? 0 : batchMax + inFlightMax);
      return left;
    });
    const failed = [...sent].filter(([batch]) => !taken.has(batch));
    const lost = await total(
      "select value as total from telemetry_totals where series = 'telemetry_lost_batches_total'",
    );
    expect(lost).toBeLessThanOrEqual(failed.length);
    const counts = { kills, cuts, requests: requested.length, events, unsent: sum(unsent) };
    const kept = { taken: taken.size, drained: drained.size, failed: failed.length, lost };
    console.log(JSON.stringify({ ...counts, batches: kept }));
  }, 180_000);
});
