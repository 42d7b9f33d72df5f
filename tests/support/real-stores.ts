import process from "node:process";
import pg from "pg";
import type { ProvidedContext } from "vitest";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";

/** A database of this test file's own on the real server, a copy of the migrated one. */
export async function createDatabase(
  migrated: ProvidedContext["migrated"],
): Promise<{ url: string; drop(): Promise<void> }> {
  if (!("template" in migrated)) throw new Error("This test needs a real PostgreSQL.");
  const url = new URL(process.env.TEST_DATABASE_URL ?? "");
  const name = `${migrated.template}_${process.pid}_${Date.now()}`;
  const server = new pg.Client({ connectionString: url.toString() });
  await server.connect();
  await server.query(`create database ${name} template ${migrated.template}`);
  return {
    url: Object.assign(url, { pathname: name }).toString(),
    async drop() {
      await server.query(`drop database ${name} with (force)`);
      await server.end();
    },
  };
}

const mark = "tests-may-empty-this-database";

/** Empty the worker's Redis database. Throws when it holds what is not the tests' own. */
export async function claimRedis(redis: RedisBackend): Promise<void> {
  const [size, marked] = await Promise.all([redis.call(["DBSIZE"]), redis.call(["EXISTS", mark])]);
  if (size !== 0 && marked !== 1) {
    throw new Error(`The Redis of ${workerRedisUrl()} is not empty, and not the tests' to empty.`);
  }
  await redis.call(["FLUSHDB"]);
  await redis.call(["SET", mark, "1"]);
}

/** The database of the real Redis that belongs to this worker. */
export function workerRedisUrl(): string {
  const url = new URL(process.env.TEST_REDIS_URL ?? "");
  return Object.assign(url, { pathname: `/${process.env.VITEST_POOL_ID ?? 1}` }).toString();
}
