import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrateUp, readMigrations } from "../../lib/db/migrations/migrations.js";
import type { SqlBackend } from "../../lib/platform/postgres-transport/neon-protocol.js";
import { postgresOverHttp } from "../../lib/platform/postgres-transport/over-http.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { startNeonEndpoint } from "../../lib/self-hosted/embedded-stores/neon-endpoint.js";
import { openEmbeddedPostgres } from "../../lib/self-hosted/embedded-stores/postgres.js";
import { emptyWorkerRedis } from "./real-stores.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** A database of the real server that is migrated, or dumps of the embedded one before and after. */
    migrated:
      | { template: string; snapshots?: never }
      | { template?: never; snapshots: { empty: string; migrated: string } };
  }
}

/** Migrate once for all projects; each test file starts from a copy. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const real = process.env.TEST_DATABASE_URL;
  return real ? onServer(project, real) : embedded(project);
}

async function embedded(project: TestProject) {
  const directory = await mkdtemp(path.join(tmpdir(), "linguamate-test-"));
  const postgres = await openEmbeddedPostgres({});
  const dump = async (name: string) => {
    const file = path.join(directory, name);
    await writeFile(file, Buffer.from(await (await postgres.dump()).arrayBuffer()));
    return file;
  };
  const empty = await dump("empty.tar");
  await migrate(postgres.backend);
  const migrated = await dump("migrated.tar");
  await postgres.close();
  project.provide("migrated", { snapshots: { empty, migrated } });
  return () => rm(directory, { recursive: true, force: true });
}

async function onServer(project: TestProject, url: string) {
  const template = `linguamate_test_${Date.now().toString(36)}_${process.pid}`;
  // Stays connected during the run; the application name shows other runs that it is still active.
  const server = new pg.Client({ connectionString: url, application_name: template });
  await server.connect();
  await dropLeftovers(server);
  await server.query(`create database ${template}`);
  const connectionString = Object.assign(new URL(url), { pathname: template }).toString();
  const pool = postgresPool(connectionString, { deadlineMs: 10_000 });
  await migrate(pool);
  await pool.close();
  project.provide("migrated", { template });
  return async () => {
    await dropDatabases(server, template);
    await server.end();
    await emptyWorkerRedis();
  };
}

/** Drop the template of a run, and the copies of its workers. */
async function dropDatabases(server: pg.Client, template: string): Promise<void> {
  const { rows } = await server.query<{ datname: string }>(
    "select datname from pg_database where starts_with(datname, $1)",
    [template],
  );
  for (const { datname } of rows) await server.query(`drop database ${datname} with (force)`);
}

/** Drop the databases of runs that were killed. */
async function dropLeftovers(server: pg.Client): Promise<void> {
  await server.query("select pg_advisory_lock(hashtext('linguamate_test'))");
  const { rows } = await server.query<{ datname: string }>(
    `select d.datname from pg_database d
    where starts_with(d.datname, 'linguamate_test_') and not exists (
      select from pg_stat_activity
      where starts_with(application_name, 'linguamate_test_')
        and starts_with(d.datname, application_name))`,
  );
  for (const { datname } of rows) await server.query(`drop database ${datname} with (force)`);
  await server.query("select pg_advisory_unlock(hashtext('linguamate_test'))");
}

async function migrate(backend: SqlBackend): Promise<void> {
  const connectionString = "postgresql://test:test@127.0.0.1/test";
  const endpoint = await startNeonEndpoint({ backend, connectionString });
  neonConfig.fetchFunction = postgresOverHttp({ timeoutMs: 30_000, endpoint: endpoint.url });
  await migrateUp(neon(connectionString), await readMigrations("drizzle"));
  await endpoint.close();
}
