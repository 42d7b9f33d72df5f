import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { bundleOptions } from "../../dev/build/bundle.js";
import { type PagerDutyEndpoint, startPagerDutyEndpoint } from "../../dev/pagerduty-endpoint.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";
import { times } from "../support/two-processes.js";

let folder = "";
let database: Awaited<ReturnType<typeof createDatabase>>;
let pool: pg.Pool;
let redis: RedisBackend;
let pager: PagerDutyEndpoint;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  // Within the project, where the native packages are found.
  folder = mkdtempSync(resolve("node_modules", ".queue-"));
  await build(bundleOptions([{ in: "tests/support/queue-worker.ts", out: "worker" }], folder));
  redis = await openWorkerRedis();
  database = await createDatabase(inject("migrated"));
  pool = new pg.Pool({ connectionString: database.url, max: 8 });
  pool.on("error", () => {});
  // Without a unique key, so that a double commit is visible.
  await pool.query("create table job_writes (key text, pid integer)");
  pager = await startPagerDutyEndpoint();
});
afterEach(async () => {
  await Promise.all([...running].map((child) => end(child, "SIGTERM")));
  await pool.query("truncate job_writes, queue_entries");
  pager.forget();
  pager.fail(null);
});
afterAll(async () => {
  await pager.close();
  await redis.close();
  await pool.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function start(): ChildProcess {
  const child = spawn(
    process.execPath,
    [join(folder, "worker.mjs"), database.url, workerRedisUrl()],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: process.env.PATH,
        NODE_ENV: "test",
        LOG_LEVEL: "error",
        JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
        PAGERDUTY_ROUTING_KEY: pager.routingKey,
        PAGERDUTY_URL: pager.url,
      },
    },
  );
  running.add(child);
  return child;
}
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  running.delete(child);
  expect(child.exitCode, "the worker ended by itself").toBeNull();
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

const count = async (from: string): Promise<number> =>
  (await pool.query(`select count(*)::int as count from ${from}`)).rows[0]?.count;
const open = "queue_entries where done_at is null and dead_at is null";
const patient = { timeout: 90_000, interval: 50 };

async function queueJobs(jobs: number): Promise<void> {
  await pool.query(
    `insert into queue_entries (id, kind, key, payload, correlation_id)
     select gen_random_uuid(), 'write', 'write:' || n, '{}', 'test' from generate_series(1, $1) n`,
    [jobs],
  );
}

/** A trigger and a resolve notice for each alert. */
async function queueNotices(alerts: number): Promise<void> {
  await pool.query(
    `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after)
     select gen_random_uuid(), 'notice', jsonb_build_object('event', event, 'key', 'test:Rule:' || n,
       'rule', 'Rule', 'label', '', 'priority', 'P1', 'channel', 'page', 'summary', 's', 'detail', 'd',
       'minute', '2026-01-01T00:00:00.000Z', 'isTest', false, 'order', position), 'test', now(),
       now() + interval '1 day', now() - interval '1 minute'
     from generate_series(1, $1) n, (values ('trigger', '0'), ('resolve', '1')) as sent (event, position)`,
    [alerts],
  );
}

describe("two concurrent processes", () => {
  it("run each job once, and send each notice exactly once, in the order of its alert", async () => {
    await queueJobs(100);
    await queueNotices(40);
    const before = pager.requests();
    for (const _ of times(2, () => 0)) start();
    await expect.poll(() => count(open), patient).toBe(0);
    const writes = await pool.query("select key from job_writes");
    expect(new Set(writes.rows.map(({ key }) => key)).size).toBe(100);
    expect(writes.rows).toHaveLength(100);
    expect(await count("(select distinct pid from job_writes) as pids")).toBe(2);
    expect(pager.requests() - before).toBe(80);
    const incidents = pager.incidents().map(({ triggers, status }) => ({ triggers, status }));
    expect(incidents).toEqual(times(40, () => ({ triggers: 1, status: "resolved" })));
  }, 120_000);

  it("lose no job and no notice, and commit no job twice, while they are killed", async () => {
    await queueJobs(120);
    await queueNotices(40);
    const workers = [start(), start()];
    for (let turn = 0; turn < 8; turn += 1) {
      const before = await count("job_writes");
      await expect.poll(() => count("job_writes"), patient).toBeGreaterThan(before);
      await sleep(Math.random() * 100);
      await end(workers[turn % 2] as ChildProcess, "SIGKILL");
      // Expires the leases of both, also of the worker that still runs.
      await pool.query(`update ${open.replace(" where", " set run_after = now() where")}`);
      workers[turn % 2] = start();
    }
    const release = setInterval(
      () => pool.query("update queue_entries set run_after = now() where run_after > now()"),
      1000,
    );
    await expect.poll(() => count(open), patient).toBe(0);
    clearInterval(release);
    expect(await count("queue_entries where dead_at is not null")).toBe(0);
    const writes = await pool.query(
      "select key, count(*)::int as times from job_writes group by 1",
    );
    expect(writes.rows).toHaveLength(120);
    expect(writes.rows.filter(({ times }) => times !== 1)).toEqual([]);
    const incidents = pager.incidents();
    expect(incidents).toHaveLength(40);
    expect(incidents.filter(({ status }) => status !== "resolved")).toEqual([]);
  }, 180_000);
});

describe("a process of the previous release beside one of this", () => {
  /** As the previous release claims mails and notices. */
  const claimAsBefore = async (kind: string): Promise<string[]> =>
    (
      await pool.query(
        `update queue_entries set attempts = attempts + 1, run_after = now() + interval '60 seconds'
         where id = any(array(select id from queue_entries
           where kind = $1 and send and done_at is null and dead_at is null and run_after <= now() and expires_at > now()
           order by run_after limit 4 for update skip locked))
         returning id`,
        [kind],
      )
    ).rows.map(({ id }) => id);

  it("claims no notice that this release has claimed, and its unsent claims are sent by this release", async () => {
    // One notice per alert: the order of the previous release is not part of this test.
    await queueNotices(60);
    await pool.query("delete from queue_entries where payload ->> 'event' = 'resolve'");
    const before = pager.requests();
    const taken = await claimAsBefore("notice");
    start();
    await expect.poll(() => pager.requests(), patient).toBeGreaterThan(before);
    for (let claimed = ["first"]; claimed.length > 0; ) {
      claimed = await claimAsBefore("notice");
      taken.push(...claimed);
      await sleep(20);
    }
    await expect.poll(() => count(open), patient).toBe(taken.length);
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken.length).toBeGreaterThanOrEqual(4);
    expect(pager.incidents()).toHaveLength(60 - taken.length);
    await pool.query("update queue_entries set run_after = now()");
    await expect.poll(() => count(open), patient).toBe(0);
    const triggers = pager.incidents().map((incident) => incident.triggers);
    expect(triggers).toEqual(times(60, () => 1));
  }, 120_000);

  it("queues what this one sends, and what this one queued is there for it after a rollback", async () => {
    const id = randomUUID();
    await pool.query(
      `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after)
       values ($1, 'notice', $2, 'test', now(), now() + interval '1 day', now())`,
      [id, { ...notice, key: "test:Rule:before" }],
    );
    const child = start();
    await expect.poll(() => count(open), patient).toBe(0);
    expect(pager.incidents()).toMatchObject([{ key: "test:Rule:before", triggers: 1 }]);
    await end(child, "SIGTERM");
    await queueNotices(1);
    expect(await claimAsBefore("notice")).toHaveLength(2);
  }, 120_000);

  const notice = {
    event: "trigger",
    rule: "Rule",
    label: "",
    priority: "P1",
    channel: "page",
    summary: "s",
    detail: "d",
    minute: "2026-01-01T00:00:00.000Z",
    isTest: false,
    order: "0",
  };
});
