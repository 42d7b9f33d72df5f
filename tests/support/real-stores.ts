import process from "node:process";
import pg from "pg";
import type { ProvidedContext } from "vitest";

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

/** The database of the real Redis that belongs to this worker. */
export function workerRedisUrl(): string {
  const url = new URL(process.env.TEST_REDIS_URL ?? "");
  return Object.assign(url, { pathname: `/${process.env.VITEST_POOL_ID ?? 1}` }).toString();
}
