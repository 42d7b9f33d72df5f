import process from "node:process";
import pg from "pg";
import type { ProvidedContext } from "vitest";
import { openRealRedis } from "../../dev/stores/real-redis.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";

/** Create a database for this test file on the real server, as a copy of the migrated one. */
export async function createDatabase(
  migrated: ProvidedContext["migrated"],
): Promise<{ url: string; drop(): Promise<void> }> {
  if (!migrated.template) throw new Error("This test needs a real PostgreSQL.");
  const url = new URL(process.env.TEST_DATABASE_URL ?? "");
  const name = `${migrated.template}_${process.pid}_${Date.now().toString(36)}`;
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

/** The Redis database of this worker on the real server, empty. It stays the tests' own until the run is over. */
export async function openWorkerRedis(): Promise<RedisBackend> {
  const { giveBack: _, ...redis } = await openMarkedRedis(workerRedisUrl());
  return redis;
}

/**
 * Open a Redis database for tests, empty. Data of a killed run is deleted. Throws if the database contains
 * data of another program. `close` keeps it marked for tests, `giveBack` removes the mark.
 */
export async function openMarkedRedis(
  url: string,
): Promise<RedisBackend & { giveBack(): Promise<void> }> {
  const redis = await openRealRedis(url);
  // The mark is in database 0, so that it survives a FLUSHDB of a test.
  const marks = await openRealRedis(Object.assign(new URL(url), { pathname: "/0" }).toString());
  const mark = `${markPrefix}${new URL(url).pathname.slice(1)}`;
  const disconnect = () => Promise.all([redis.close(), marks.close()]);
  const [size, marked] = await Promise.all([redis.call(["DBSIZE"]), marks.call(["EXISTS", mark])]);
  if (size !== 0 && marked !== 1) {
    await disconnect();
    throw new Error(`The Redis of ${url} is not empty, and not the tests' to empty.`);
  }
  await marks.call(["SET", mark, "1"]);
  await redis.call(["FLUSHDB"]);
  return {
    ...redis,
    async close() {
      await redis.call(["FLUSHDB"]);
      await disconnect();
    },
    async giveBack() {
      await redis.call(["FLUSHDB"]);
      await marks.call(["DEL", mark]);
      await disconnect();
    },
  };
}

/** Delete what the workers of a run have left in the real Redis. */
export async function emptyWorkerRedis(): Promise<void> {
  const url = new URL(process.env.TEST_REDIS_URL ?? "");
  const marks = await openRealRedis(Object.assign(url, { pathname: "/0" }).toString());
  for (const mark of (await marks.call(["KEYS", `${markPrefix}*`])) as string[]) {
    const database = mark.slice(markPrefix.length);
    await (await openMarkedRedis(Object.assign(url, { pathname: `/${database}` }).href)).giveBack();
  }
  await marks.close();
}

const markPrefix = "linguamate:of-the-tests:";

/** The database of the real Redis that belongs to this worker. */
export function workerRedisUrl(): string {
  const url = new URL(process.env.TEST_REDIS_URL ?? "");
  return Object.assign(url, { pathname: `/${process.env.VITEST_POOL_ID ?? 1}` }).toString();
}
