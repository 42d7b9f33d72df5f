import { afterAll, afterEach, beforeAll, inject, vi } from "vitest";
import { type FaultCall, type FaultProxy, startFaultProxy } from "../../dev/fault-proxy.js";
import { mirrorGate } from "../../lib/admission/mirror.js";
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

/** The stores of one test file, as an operator's terminal and a saboteur reach them. */
export interface Stores {
  /** Run one Redis command, past the fault proxy. */
  redis(...command: string[]): Promise<unknown>;
  /** Forget what every limit has counted, as an operator would. */
  liftLimits(): Promise<void>;
  /** Run one SQL statement, past the fault proxy. Every value comes as text. */
  sql(text: string, ...params: (string | null)[]): Promise<Record<string, string | null>[]>;
  faults: { redis: FaultProxy; postgres: FaultProxy };
  /**
   * What reached each store since the last `resetCalls`: Redis commands and SQL calls. What carries
   * request events is left out, for several requests share it.
   */
  calls(): { redisTrips: number; redisCommands: number; postgresCalls: number };
  /** How many batches of request events were sent since then. */
  telemetryTrips(): number;
  resetCalls(): Promise<void>;
  /** Resolves when everything that requests left for after their replies is done. */
  settled(): Promise<void>;
}

/**
 * Give this test file empty stores: embedded ones, or a corner of the real ones, that are opened once for
 * each worker. `redisMs` is how long a request waits for Redis: longer where a slow machine must not look
 * like an outage. `reached` prepares a real database of this file's own, and answers the URL by which it
 * is reached.
 */
export function useStores({
  redisMs = storeTimeouts.redisMs as number,
  reached,
}: {
  redisMs?: number;
  reached?: (databaseUrl: string) => Promise<string>;
} = {}): Stores {
  let opened: Opened | undefined;
  const stores = () => {
    if (!opened) throw new Error("The stores are open only inside tests and hooks.");
    return opened;
  };
  const heal = async () => {
    await stores().faults.redis.set(null);
    await stores().faults.postgres.set(null);
    // The clients skip a store for a moment after failures; a new platform starts with no memory.
    install(stores().faults, redisMs);
  };
  beforeAll(async () => {
    opened = await (reached ? open(reached) : ofThisWorker());
    await opened.empty();
    await heal();
    // As after a tick of the clock. On a busy machine the first calls take longer than a request waits.
    await vi.waitFor(() => mirrorGate(aContext()), { timeout: 20_000, interval: 100 });
    await stores().faults.redis.reset();
    await stores().faults.postgres.reset();
    install(opened.faults, redisMs);
  });
  afterEach(async () => {
    await settled();
    await heal();
  });
  afterAll(async () => {
    if (opened) await recordRows(opened.postgres);
    if (reached) await opened?.close();
  });
  return {
    redis: (...command) => stores().redis.call(command),
    async liftLimits() {
      const keys = (await stores().redis.call(["KEYS", "rate:*"])) as string[];
      if (keys.length > 0) await stores().redis.call(["DEL", ...keys]);
    },
    sql: (text, ...params) => rowsOf(stores().postgres, text, params),
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

function ofThisWorker(): Promise<Opened> {
  worker ??= open();
  return worker;
}

async function open(reached = async (databaseUrl: string) => databaseUrl) {
  const database = await openDatabase(reached);
  const cache = await openCache();
  const faults = {
    postgres: await startFaultProxy(neonListener({ backend: database.backend, connectionString })),
    redis: await startFaultProxy(upstashListener({ backend: cache.backend, token: "test" })),
  };
  const resetDatabase = await databaseReset(database.backend);
  return {
    faults,
    redis: cache.backend,
    postgres: database.backend,
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

function install(faults: Opened["faults"], redisMs: number): void {
  installPlatform({
    postgres: {
      connectionString,
      fetch: postgresOverHttp({
        timeoutMs: storeTimeouts.postgresMs,
        endpoint: `${faults.postgres.url}/sql`,
      }),
    },
    redis: redisOverHttp({ url: faults.redis.url, token: "test", timeoutMs: redisMs }),
  });
}

interface Open<Backend> {
  backend: Backend;
  close(): Promise<void>;
}

async function openDatabase(
  reached: (databaseUrl: string) => Promise<string>,
): Promise<Open<SqlBackend>> {
  const migrated = inject("migrated");
  if (migrated.snapshots) return openEmbeddedPostgres({ snapshot: await snapshot("migrated") });
  const database = await createDatabase(migrated);
  const pool = postgresPool(await reached(database.url), { deadlineMs: storeTimeouts.postgresMs });
  return {
    backend: pool,
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

/** The tables that are records of what happened, and that operators and auditors read. */
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

/** A batch of request events on its way to Redis. */
function isBatch({ body }: FaultCall): boolean {
  return Array.isArray(body) && body[0]?.[0] === "XADD" && body[0]?.[1] === "events";
}

/** What sends and drains request events. */
function isTelemetry({ body }: FaultCall): boolean {
  return /"events(:bytes)?"|drain_state/.test(JSON.stringify(body));
}

/** Upstash bills a script's own commands too: of a limit INCR and, once a window, PEXPIRE for each key. */
function billed(command: unknown): number {
  const [name, , keys] = command as string[];
  if (name?.toUpperCase() === "EVALSHA") return 1 + 2 * Number(keys);
  return name?.toUpperCase() === "EVAL" ? 3 : 1;
}
