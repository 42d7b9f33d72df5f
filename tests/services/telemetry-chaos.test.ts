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

/** Longer by hand: CHAOS_SECONDS=60. */
const durationMs = Number(process.env.CHAOS_SECONDS ?? 12) * 1000;
const roles = ["produce", "produce", "produce", "drain", "drain", "drain", "drain"] as const;
/** A batch is sent at so many events at the latest. */
const batchMax = 100;
/** Requests that one process answers at once: as many may be answered and not be in a batch yet. */
const inFlightMax = 12;

let folder = "";
let database: Awaited<ReturnType<typeof createDatabase>>;
let pool: pg.Pool;
let redis: RedisBackend;
let postgresProxy: CutProxy;
let redisProxy: CutProxy;

beforeAll(async () => {
  // Within the project, where the native packages are found.
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
  /** Ends when it has done what it had begun. */
  end(): Promise<void>;
  kill(): Promise<void>;
  /** True once it has answered anything: only then is there something to be lost with it. */
  hasAnswered(): boolean;
}

let started = 0;

/** What a worker writes goes straight into a file: nothing of it is lost with the process. */
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
      // No row may be left out: they are counted against the totals.
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

/** Kill one process after another, whichever comes, and start another in its place. */
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
 * Cut off one store, then the other, for less and for more than a time-out. Redis less often: it is then
 * skipped for 2 s, in which nothing is sent that could be lost or doubled.
 */
async function keepCutting(isOver: () => boolean): Promise<number> {
  let cuts = 0;
  while (!isOver()) {
    const proxy = cuts++ % 4 === 0 ? redisProxy : postgresProxy;
    await sleep(400 + Math.random() * 600);
    proxy.cut();
    await sleep(50 + Math.random() * 500);
    proxy.mend();
  }
  return cuts;
}

type Line = { evt: string; corr?: { correlationId: string } } & Partial<Omit<BatchLine, "evt">>;

/** What the processes of a role have written, each for itself. */
function written(role: Worker["role"]): Line[][] {
  const files = readdirSync(folder).filter((name) => name.endsWith(`.${role}.log`));
  return files.map((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .flatMap((text): Line[] => {
        try {
          return [JSON.parse(text)];
        } catch {
          // A process that was killed may have written half a line.
          return [];
        }
      }),
  );
}

/** The batches that lines of one kind tell of, with the number of their events. */
function batches(lines: Line[], evt: BatchLine["evt"]): Map<string, number> {
  const told = lines.filter((line) => line.evt === evt);
  return new Map(told.map(({ instance, seq, events }) => [`${instance} ${seq}`, Number(events)]));
}

const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
const rows = async (text: string) => (await pool.query(text)).rows;
const total = async (text: string) => Number((await rows(text))[0]?.total ?? 0);
const series = async (table: string) =>
  rows(`select series, sum(value)::text as value from ${table} group by series order by series`);

describe("producers and four drains that are killed, and stores that are cut off in turn", () => {
  it("keep every acknowledged event exactly once in rows, minutes and totals", async () => {
    const workers = roles.map((role) => start(role));
    let isOver = false;
    const killing = keepKilling(workers, () => isOver);
    const cutting = keepCutting(() => isOver);
    await sleep(durationMs);
    // A machine that is busy with other tests needs longer for as much.
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

    // What Redis has acknowledged is there; what is there was sent, and holds what was sent.
    expect([...taken].filter(([batch]) => !drained.has(batch))).toEqual([]);
    expect([...drained].filter(([batch, events]) => sent.get(batch) !== events)).toEqual([]);

    // Rows, minutes and totals tell the same, to the last one.
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

    // What is not there is on stdout: what Redis did not take, and of a process that was killed what
    // its one open batch held. One that ended has left nothing unsent.
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
