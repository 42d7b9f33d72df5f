import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { migrateCommand } from "../../lib/db/migrations/command.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { storesLock } from "../../lib/self-hosted/embedded-stores/lock.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { startUpstashEndpoint } from "../../lib/self-hosted/embedded-stores/upstash-endpoint.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { attachFromSource } from "../stores/attach-stores.js";
import { openRealRedis } from "../stores/real-redis.js";
import type { CleanUp } from "./clean-up.js";
import type { StoreEndpoints } from "./store-endpoints.js";

/** The stores of one run, empty but for the tables. */
export interface BenchStores {
  /** What a server's environment names. */
  env: Record<string, string>;
  endpoints: StoreEndpoints;
  /** Redis as redis-cli reaches it, for watching its commands. */
  redisUrl: string;
  /** A second empty database for the peer; undefined unless both stores are real. */
  peers: { DATABASE_URL: string; REDIS_URL: string } | undefined;
  descriptions: string[];
}

/**
 * Open the stores that the environment names, each decided by itself, or embedded ones in `folder`.
 *
 * Of a real PostgreSQL two new databases are used and dropped at the end, of a real Redis an empty
 * database that is emptied again. Throws for a server that is not on this machine.
 */
export async function openBenchStores(
  { DATABASE_URL, REDIS_URL }: Record<string, string | undefined>,
  folder: string,
  cleanUp: CleanUp,
): Promise<BenchStores> {
  const embedded = DATABASE_URL && REDIS_URL ? undefined : await openEmbedded(folder, cleanUp);
  const postgres = DATABASE_URL ? await openPostgres(DATABASE_URL, cleanUp) : undefined;
  const redis = REDIS_URL ? await openRedis(REDIS_URL, cleanUp) : undefined;
  const endpoints = {
    postgres: postgres?.endpoint ?? required(embedded).postgres,
    redis: redis?.endpoint ?? required(embedded).redis,
  };
  await migrate(postgres ? { connectionString: postgres.url } : endpoints.postgres);
  return {
    env: {
      ...(postgres ? { DATABASE_URL: postgres.url } : { EMBEDDED_STORES: "true" }),
      ...(redis ? { REDIS_URL: redis.url } : { EMBEDDED_STORES: "true" }),
    },
    endpoints,
    redisUrl: redis?.url ?? `redis://127.0.0.1:${required(embedded).respPort}`,
    peers: postgres && redis ? { DATABASE_URL: postgres.peerUrl, REDIS_URL: redis.url } : undefined,
    descriptions: [postgres?.version ?? "embedded Postgres", redis?.version ?? "embedded Redis"],
  };
}

async function openEmbedded(folder: string, cleanUp: CleanUp) {
  const stores = await attachFromSource({ directory: folder });
  cleanUp.later(async () => {
    stores.detach();
    await portClosed(storesLock(folder).port);
  });
  return stores;
}

async function openPostgres(serverUrl: string, cleanUp: CleanUp) {
  requireLocal("DATABASE_URL", serverUrl);
  const server = new pg.Client({ connectionString: serverUrl });
  await server.connect();
  cleanUp.later(() => server.end());
  const createDatabase = async (purpose: string) => {
    const name = `bench_${purpose}_${randomBytes(6).toString("hex")}`;
    await server.query(`create database ${name}`);
    cleanUp.later(async () => {
      await server.query(`drop database ${name} with (force)`);
    });
    return Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  };
  const { rows } = await server.query<{ server_version: string }>("show server_version");
  const [url, peerUrl] = [await createDatabase("ours"), await createDatabase("peer")];
  const pool = postgresPool(url);
  const { url: endpoint, close } = await startNeonEndpoint({
    backend: pool,
    connectionString: url,
  });
  cleanUp.later(() => pool.close());
  cleanUp.later(close);
  const version = `PostgreSQL ${rows[0]?.server_version}`;
  return { url, peerUrl, version, endpoint: { connectionString: url, endpoint } };
}

async function openRedis(serverUrl: string, cleanUp: CleanUp) {
  requireLocal("REDIS_URL", serverUrl);
  const redis = new Redis(serverUrl);
  cleanUp.later(async () => redis.disconnect());
  const index = await claimEmptyDatabase(redis);
  cleanUp.later(async () => {
    await redis.flushdb();
  });
  const url = Object.assign(new URL(serverUrl), { pathname: `/${index}` }).href;
  const backend = await openRealRedis(url);
  const endpoint = await startUpstashEndpoint({ backend, token: randomBytes(16).toString("hex") });
  cleanUp.later(() => backend.close());
  cleanUp.later(endpoint.close);
  const version = /redis_version:(\S+)/.exec(await redis.info("server"))?.[1];
  return {
    url,
    version: `Redis ${version}`,
    endpoint: { url: endpoint.url, token: endpoint.token },
  };
}

/** Select an empty database and mark it as taken; several benches may run beside each other. */
async function claimEmptyDatabase(redis: Redis): Promise<number> {
  for (let index = 15; index > 0; index--) {
    await redis.select(index);
    if ((await redis.dbsize()) === 0 && (await redis.setnx("bench", process.pid)) === 1)
      return index;
  }
  throw new Error("REDIS_URL: none of the databases 1 to 15 is empty.");
}

async function migrate(postgres: { connectionString: string; endpoint?: string }): Promise<void> {
  const quiet = { out: () => {}, error: console.error };
  const status = await migrateCommand(["up"], async () => connectForMigrations(postgres), quiet);
  if (status !== 0) throw new Error("The bench's database could not be migrated.");
}

function requireLocal(variable: string, url: string): void {
  const { hostname } = new URL(url);
  if (["localhost", "127.0.0.1", "[::1]"].includes(hostname)) return;
  throw new Error(`${variable} names ${hostname}: only stores of this machine are loaded.`);
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("The embedded stores are not open.");
  return value;
}

/** The owner of embedded stores writes its files until it closes this port. */
async function portClosed(port: number): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("close", () => socket.destroy());
      socket.once("connect", () => socket.destroy());
    });
    if (!isOpen) return;
    await sleep(50);
  }
}
