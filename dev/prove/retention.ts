import { randomUUID } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { neon } from "@neondatabase/serverless";
import pg from "pg";
import { quantileSorted } from "simple-statistics";
import type { Context } from "../../lib/context.js";
import { database } from "../../lib/db/database.js";
import { migrateUp, readMigrations } from "../../lib/db/migrations/migrations.js";
import { installPlatform } from "../../lib/platform/installed.js";
import {
  placeholderUrl,
  postgresOverSocket,
} from "../../lib/platform/postgres-transport/over-socket.js";
import { dropOldDays } from "../../lib/schedule/retention/access-log-days.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";

const workers = 6;
const quietMs = 5000;
const dropMsMax = 1000;
const waitMsMax = 250;

/**
 * Drop a day of the access log with 1 million rows while others insert into the log and read it: it takes at most 1 s, and
 * no statement waits for it, also when a long transaction reads the log. Needs a PostgreSQL, see `test:services`.
 */
export async function prove([rowsText = "1000000"]: string[]): Promise<boolean> {
  const server = process.env.TEST_DATABASE_URL ?? "postgresql://postgres@127.0.0.1:5432/postgres";
  const name = `linguamate_prove_${process.pid}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = Object.assign(new URL(server), { pathname: name }).href;
  try {
    return await onDatabase(url, Number(rowsText));
  } finally {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
}

async function onDatabase(url: string, rows: number): Promise<boolean> {
  const migrations = connectForMigrations({ connectionString: url });
  await migrateUp(neon(placeholderUrl), await readMigrations("drizzle"));
  await migrations.close();
  const { fetch, close } = postgresOverSocket(url, { deadlineMs: 2000 });
  const redis = { request: () => Promise.reject(new Error("There is no Redis.")) };
  const postgres = { connectionString: placeholderUrl, fetch, preparesByText: true } as const;
  installPlatform({ postgres, redis });
  // The transport of the migrations was installed after that of the requests.
  (await import("@neondatabase/serverless")).neonConfig.fetchFunction = fetch;
  const pool = new pg.Pool({ connectionString: url, max: workers + 2 });
  // `drop database` ends connections that are still closing.
  pool.on("error", () => {});
  try {
    return await measure(pool, rows);
  } finally {
    await pool.end();
    await close();
  }
}

async function measure(pool: pg.Pool, rows: number): Promise<boolean> {
  console.log(`Writing a day of ${rows} rows twice …`);
  await fillDay(pool, "2024-01-01", rows);
  await fillDay(pool, "2024-01-02", rows);
  await pool.query("checkpoint");
  const load = startLoad(pool);
  await sleep(1000);
  const quiet = await during(load, "nothing else", () => sleep(quietMs));

  const reader = await pool.connect();
  await reader.query("begin");
  await reader.query("select count(*) from access_log where id < 10");
  const held = await during(load, "drop while a transaction reads the log", drop);
  const before = await during(load, "the same by DETACH under a lock timeout of 2 s", () =>
    pool
      .query(
        `select set_config('lock_timeout', '2s', true);
         alter table access_log detach partition access_log_20240101`,
      )
      .catch(({ code }) => code),
  );
  await reader.query("commit");
  reader.release();
  await sleep(500);

  const first = await during(load, "drop", drop);
  await load.stop();
  console.log(`\n${"while".padEnd(48)}      ms  p99 ms slowest  to quiet`);
  for (const { name, tookMs, p99, slowest } of [quiet, held, before, first]) {
    const ratio = `${(p99 / quiet.p99).toFixed(1)} x`;
    const cells = [tookMs, p99, slowest].map((ms) => ms.toFixed(1).padStart(8));
    console.log(`${name.padEnd(48)}${cells.join("")}${ratio.padStart(10)}`);
  }
  const perDayMs = first.tookMs / 2;
  const checks = [
    [`a drop while the log is read is postponed`, JSON.stringify(held.result).includes("true")],
    ["both days are dropped afterwards", JSON.stringify(first.result).includes('"dropped":2')],
    [`a day takes ${perDayMs.toFixed(0)} ms, at most ${dropMsMax}`, perDayMs <= dropMsMax],
    ...[held, first].map(({ name, slowest }): [string, boolean] => [
      `${name}: no statement waits over ${waitMsMax} ms`,
      slowest <= waitMsMax,
    ]),
  ] as const;
  for (const [promise, isKept] of checks) console.log(`${isKept ? "pass" : "FAIL"}  ${promise}`);
  return checks.every(([, isKept]) => isKept);
}

const drop = () =>
  dropOldDays(
    {
      db: database(),
      now: new Date(),
      correlationId: randomUUID(),
      env: { telemetry: { accessLogRetentionDays: 365 } },
    } as Context,
    performance.now() + 60_000,
  );

async function fillDay(pool: pg.Pool, day: string, rows: number): Promise<void> {
  const name = `access_log_${day.replaceAll("-", "")}`;
  await pool.query(`create table ${name} (like access_log including defaults)`);
  await pool.query(`insert into ${name}
    (inserted_at, at, count, one_in, correlation_id, route, method, status, duration_ms, user_hash, ip_prefix, release)
    select t, t, 1, 1, md5(n::text), '/api/user', 'GET', 200, 3, md5((n % 9999)::text), '203.0.113.0/24', 'abc'
    from (select n, timestamptz '${day} 00:00:00+00' + n * interval '80 ms' as t from generate_series(1, ${rows}) n) as rows`);
  await pool.query(`alter table access_log attach partition ${name}
    for values from ('${day} 00:00:00+00') to (timestamptz '${day} 00:00:00+00' + interval '24 hours')`);
  await pool.query(`analyze ${name}`);
}

interface Load {
  /** Of statements that ended, with their durations. */
  done: { startMs: number; endMs: number }[];
  stop(): Promise<void>;
}

/** What requests and the drain send: rows into the log, a search by correlation ID, the newest rows. */
function startLoad(pool: pg.Pool): Load {
  const done: Load["done"] = [];
  let isOver = false;
  const statements = [
    () =>
      pool.query(
        `insert into access_log (at, count, one_in, correlation_id, route, method, status, duration_ms, release)
         select now(), 1, 1, $1, '/api/user', 'GET', 200, 3, 'abc' from generate_series(1, 20)`,
        [randomUUID()],
      ),
    () => pool.query("select * from access_log where correlation_id = $1", [randomUUID()]),
    () => pool.query("select * from access_log order by at desc, id desc limit 20"),
  ];
  const worker = async (number: number) => {
    for (let turn = number; !isOver; turn += 1) {
      const startMs = performance.now();
      await statements[turn % statements.length]?.();
      done.push({ startMs, endMs: performance.now() });
    }
  };
  const running = Array.from({ length: workers }, (_, number) => worker(number));
  return {
    done,
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}

/** The durations of the statements that ran at some time during `work`. */
async function during(load: Load, name: string, work: () => Promise<unknown>) {
  const startMs = performance.now();
  const result = await work();
  const endMs = performance.now();
  // Those that waited for it.
  await sleep(200);
  const durations = load.done
    .filter((one) => one.endMs >= startMs && one.startMs <= endMs)
    .map((one) => one.endMs - one.startMs)
    .toSorted((one, other) => one - other);
  const [p99, slowest] = [quantileSorted(durations, 0.99), durations.at(-1) ?? 0];
  return { name, result, tookMs: endMs - startMs, p99, slowest };
}
