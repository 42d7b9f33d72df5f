import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { migrateCommand } from "../../lib/db/migrations/command.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { startUpstashEndpoint } from "../../lib/self-hosted/embedded-stores/upstash-endpoint.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { attachFromSource } from "../stores/attach-stores.js";
import { openRealRedis } from "../stores/real-redis.js";
import type { CleanUp } from "./clean-up.js";

/** The stores over HTTP, in the protocols of Neon and Upstash. */
export interface StoreEndpoints {
  postgres: { connectionString: string; endpoint: string };
  redis: { url: string; token: string };
}

/** Stores of one run, empty except for the tables. */
export interface BenchStores {
  /** For the environment of a server. */
  env: Record<string, string>;
  /** For the environment of a peer, which cannot use embedded stores. */
  peerEnv: Record<string, string>;
  endpoints: StoreEndpoints;
  description: string;
}

/**
 * New databases on the server of DATABASE_URL and an empty database on that of REDIS_URL, or embedded
 * stores in `folder`. Throws for a server on another machine.
 */
export async function openBenchStores(folder: string, cleanUp: CleanUp): Promise<BenchStores> {
  const { DATABASE_URL, REDIS_URL } = process.env;
  const embedded = DATABASE_URL && REDIS_URL ? undefined : await openEmbedded(folder, cleanUp);
  const postgres = DATABASE_URL ? await openPostgres(DATABASE_URL, cleanUp) : embedded?.postgres;
  const redis = REDIS_URL ? await openRedis(REDIS_URL, cleanUp) : embedded?.redis;
  if (!postgres || !redis) throw new Error("The embedded stores are not open.");
  const io = { out: () => {}, error: console.error };
  const connect = async () => connectForMigrations(postgres.endpoint);
  if ((await migrateCommand(["up"], connect, io)) !== 0) throw new Error("The migration failed.");
  return {
    env: { ...postgres.env, ...redis.env },
    peerEnv: { ...postgres.peerEnv, ...redis.env },
    endpoints: { postgres: postgres.endpoint, redis: redis.endpoint },
    description: `${postgres.description} and ${redis.description}`,
  };
}

async function openEmbedded(folder: string, cleanUp: CleanUp) {
  const { postgres, redis, detach } = await attachFromSource({ directory: folder });
  cleanUp.later(async () => {
    detach();
    // Their process writes files until it removes this one.
    while (existsSync(join(folder, "stores.json"))) await sleep(50);
  });
  const env = { EMBEDDED_STORES: "true" };
  return {
    postgres: { env, peerEnv: {}, endpoint: postgres, description: "embedded Postgres" },
    redis: { env, endpoint: redis, description: "embedded Redis" },
  };
}

async function openPostgres(serverUrl: string, cleanUp: CleanUp) {
  requireLocal(serverUrl);
  const server = new pg.Client({ connectionString: serverUrl });
  await server.connect();
  cleanUp.later(() => server.end());
  const createDatabase = async () => {
    const name = `bench_${randomBytes(6).toString("hex")}`;
    await server.query(`create database ${name}`);
    cleanUp.later(() => server.query(`drop database ${name} with (force)`));
    return Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  };
  const connectionString = await createDatabase();
  // With the servers and peers this stays below the default of 100 connections.
  const backend = postgresPool(connectionString, { connectionsMax: 10 });
  cleanUp.later(() => backend.close());
  const { url, close } = await startNeonEndpoint({ backend, connectionString });
  cleanUp.later(close);
  const { rows } = await server.query("show server_version");
  return {
    env: { DATABASE_URL: connectionString },
    peerEnv: { DATABASE_URL: await createDatabase() },
    endpoint: { connectionString, endpoint: url },
    description: `PostgreSQL ${rows[0].server_version}`,
  };
}

async function openRedis(serverUrl: string, cleanUp: CleanUp) {
  requireLocal(serverUrl);
  const redis = new Redis(serverUrl);
  cleanUp.later(async () => redis.disconnect());
  const index = await reserveEmptyDatabase(redis);
  cleanUp.later(() => redis.flushdb());
  const url = Object.assign(new URL(serverUrl), { pathname: `/${index}` }).href;
  const backend = await openRealRedis(url);
  cleanUp.later(() => backend.close());
  const token = randomBytes(16).toString("hex");
  const endpoint = await startUpstashEndpoint({ backend, token });
  cleanUp.later(endpoint.close);
  const version = /redis_version:(\S+)/.exec(await redis.info("server"))?.[1];
  return {
    env: { REDIS_URL: url },
    endpoint: { url: endpoint.url, token },
    description: `Redis ${version}`,
  };
}

/** Select an empty database and mark it as used, because other benches may run at the same time. */
async function reserveEmptyDatabase(redis: Redis): Promise<number> {
  for (let index = 15; index > 0; index--) {
    await redis.select(index);
    if ((await redis.dbsize()) === 0 && (await redis.setnx("bench", process.pid))) return index;
  }
  throw new Error("None of the Redis databases 1 to 15 is empty.");
}

function requireLocal(url: string): void {
  const { hostname } = new URL(url);
  if (!["localhost", "127.0.0.1", "[::1]"].includes(hostname))
    throw new Error(`${hostname} is not this machine.`);
}
