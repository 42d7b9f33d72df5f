import process from "node:process";
import { afterAll, afterEach, beforeAll, expect, inject, vi } from "vitest";
import { type FaultCall, type FaultProxy, startFaultProxy } from "../../dev/fault-proxy.js";
import { copyGateToRedis } from "../../lib/admission/mirror.js";
import { installPlatform, storeTimeouts } from "../../lib/platform/installed.js";
import type { SqlBackend } from "../../lib/platform/postgres-transport/neon-protocol.js";
import { postgresOverHttp } from "../../lib/platform/postgres-transport/over-http.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { redisOverHttp } from "../../lib/platform/redis-transport/over-http.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { neonListener } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { openEmbeddedPostgres } from "../../lib/self-hosted/embedded-stores/postgres.js";
import { openEmbeddedRedis } from "../../lib/self-hosted/embedded-stores/redis.js";
import { upstashListener } from "../../lib/self-hosted/embedded-stores/upstash-endpoint.js";
import { aContext } from "./context.js";
import { databaseReset } from "./database-reset.js";
import { createDatabase, openWorkerRedis } from "./real-stores.js";
import { record } from "./secrets-seen.js";
import { snapshot } from "./snapshots.js";
import { settled } from "./wait-until.js";
import { rememberStatements, wholeReadsSeen } from "./whole-reads.js";

/** So that a slow machine does not look like an outage. */
const patientMs = 10_000;

/** The stores of one test file, with direct access and fault injection. */
export interface Stores {
  /** Run one Redis command, without the fault proxy. */
  redis(...command: string[]): Promise<unknown>;
  /** Delete the counts of all rate limits, as an operator would. */
  liftLimits(): Promise<void>;
  /** Run one SQL statement, without the fault proxy. All values are returned as text. */
  sql(text: string, ...params: (string | null)[]): Promise<Record<string, string | null>[]>;
  /** A data directory of the embedded Postgres, as a tar. */
  dump(): Promise<Blob>;
  faults: { redis: FaultProxy; postgres: FaultProxy };
  /**
   * The calls to each store since the last `resetCalls`. Calls for request events are not included, because
   * several requests share them.
   */
  calls(): { redisTrips: number; redisCommands: number; postgresCalls: number };
  /** The number of batches of request events sent since then. */
  telemetryTrips(): number;
  resetCalls(): Promise<void>;
  /** Resolves when all background work of requests is done. */
  settled(): Promise<void>;
}

/**
 * Give this test file empty stores, embedded or real, that are opened once per worker. Requests wait long for them;
 * while a fault makes a store slow, the timeout of production applies to it.
 * `prepareDatabase` prepares a real database for this file, and returns the URL to connect to.
 */
export function useStores({
  prepareDatabase,
}: {
  prepareDatabase?: (databaseUrl: string) => Promise<string>;
} = {}): Stores {
  let opened: Opened | undefined;
  const stores = () => {
    if (!opened) throw new Error("The stores are open only inside tests and hooks.");
    return opened;
  };
  const heal = async () => {
    await stores().faults.redis.set(null);
    await stores().faults.postgres.set(null);
    // The clients skip a store for some time after failures; a new platform has no such state.
    install(stores().faults);
  };
  beforeAll(async () => {
    opened = await (prepareDatabase ? open(prepareDatabase) : openForWorker());
    await opened.empty();
    await heal();
    // As after a tick of the cron. Retries, because the first calls on a busy machine can exceed the timeout.
    await vi.waitFor(() => copyGateToRedis(aContext()), { timeout: 20_000, interval: 100 });
    await stores().faults.redis.reset();
    await stores().faults.postgres.reset();
    install(opened.faults);
  });
  afterEach(async () => {
    await settled();
    await heal();
  });
  afterAll(async () => {
    if (opened) await recordRows(opened.postgres);
    // The embedded Postgres is slower; the statements are the same.
    if (opened && process.env.TEST_DATABASE_URL) {
      expect(await wholeReadsSeen(opened.postgres), "statements without an index").toEqual([]);
    }
    if (prepareDatabase) await opened?.close();
  });
  return {
    redis: (...command) => stores().redis.call(command),
    async liftLimits() {
      const keys = (await stores().redis.call(["KEYS", "rate:*"])) as string[];
      if (keys.length > 0) await stores().redis.call(["DEL", ...keys]);
    },
    sql: (text, ...params) => rowsOf(stores().postgres, text, params),
    dump: () => stores().dump(),
    get faults() {
      return stores().faults;
    },
    calls: () => countCalls(stores().faults),
    telemetryTrips: () => stores().faults.redis.calls.filter(isBatch).length,
    settled,
    async resetCalls() {
      await settled();
      await stores().faults.redis.reset();
      await stores().faults.postgres.reset();
    },
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

const connectionString = "postgresql://test:test@127.0.0.1/test";
let worker: Promise<Opened> | undefined;

function openForWorker(): Promise<Opened> {
  worker ??= open();
  return worker;
}

async function open(prepareDatabase = async (databaseUrl: string) => databaseUrl) {
  const database = await openDatabase(prepareDatabase);
  const cache = await openCache();
  const faults = {
    postgres: await startFaultProxy(
      neonListener({ backend: rememberStatements(database.backend), connectionString }),
    ),
    redis: await startFaultProxy(upstashListener({ backend: cache.backend, token: "test" })),
  };
  const resetDatabase = await databaseReset(database.backend);
  return {
    faults,
    redis: cache.backend,
    postgres: database.backend,
    dump: database.dump,
    async empty() {
      await cache.backend.call(["FLUSHDB"]);
      await resetDatabase();
    },
    async close() {
      for (const part of [faults.postgres, faults.redis]) await part.close();
      await cache.close();
      await database.close();
    },
  };
}

function install({ postgres, redis }: Opened["faults"]): void {
  const { postgresMs, redisMs } = storeTimeouts;
  installPlatform({
    postgres: {
      connectionString,
      fetch: (url, init) =>
        postgresOverHttp({
          timeoutMs: postgres.isSlow() ? postgresMs : patientMs,
          endpoint: `${postgres.url}/sql`,
        })(url, init),
    },
    redis: redisOverHttp({
      url: redis.url,
      token: "test",
      get timeoutMs() {
        return redis.isSlow() ? redisMs : patientMs;
      },
    }),
  });
}

interface Open<Backend> {
  backend: Backend;
  close(): Promise<void>;
}

async function openDatabase(
  prepareDatabase: (databaseUrl: string) => Promise<string>,
): Promise<Open<SqlBackend> & { dump(): Promise<Blob> }> {
  const migrated = inject("migrated");
  if (migrated.snapshots) return openEmbeddedPostgres({ snapshot: await snapshot("migrated") });
  const database = await createDatabase(migrated);
  const pool = postgresPool(await prepareDatabase(database.url), {
    deadlineMs: patientMs,
    connectMs: patientMs,
    // All workers and the servers that they start share a Postgres server with 100 connections.
    connectionsMax: 8,
  });
  return {
    backend: pool,
    dump: () => Promise.reject(new Error("Only the embedded Postgres can be dumped.")),
    async close() {
      await pool.close();
      await database.drop();
    },
  };
}

async function openCache(): Promise<Open<RedisBackend>> {
  if (!process.env.TEST_REDIS_URL) return openEmbeddedRedis({});
  const backend = await openWorkerRedis();
  return { backend, close: backend.close };
}

/** The tables that operators and auditors read. */
const recordTables = [
  "security_events",
  "audit_log",
  "access_log",
  "telemetry_minutes",
  "alerts",
  "alert_transitions",
];

async function recordRows(backend: SqlBackend): Promise<void> {
  for (const table of recordTables) {
    const rows = await rowsOf(backend, `select to_jsonb(t) as row from ${table} t`, []);
    for (const { row } of rows) record(row ?? "");
  }
}

async function rowsOf(backend: SqlBackend, text: string, params: (string | null)[]) {
  const { fields, rows } = await backend.query({ text, params });
  return rows.map((row) =>
    Object.fromEntries(fields.map((field, index) => [field.name, row[index] ?? null])),
  );
}

function countCalls({ redis, postgres }: Opened["faults"]) {
  const trips = redis.calls.filter((call) => !isTelemetry(call));
  const commands = trips.map(({ path, body }) =>
    path === "/" ? [body as unknown[]] : (body as unknown[][]),
  );
  return {
    redisTrips: trips.length,
    redisCommands: commands.flat().reduce<number>((sum, command) => sum + billed(command), 0),
    postgresCalls: postgres.calls.filter((call) => !isTelemetry(call)).length,
  };
}

/** Whether a call sends a batch of request events to Redis. */
function isBatch({ body }: FaultCall): boolean {
  return Array.isArray(body) && body[0]?.[0] === "XADD" && body[0]?.[1] === "events";
}

/** Whether a call sends or drains request events. */
function isTelemetry({ body }: FaultCall): boolean {
  return /"events(:bytes|:drain)?"|drain_state/.test(JSON.stringify(body));
}

/** Upstash also bills the commands in a script: for a limit, INCR and one PEXPIRE per window and key. */
function billed(command: unknown): number {
  const [name, , keys] = command as string[];
  if (name?.toUpperCase() === "EVALSHA") return 1 + 2 * Number(keys);
  return name?.toUpperCase() === "EVAL" ? 3 : 1;
}
