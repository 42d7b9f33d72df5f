import type { NeonQueryFunction } from "@neondatabase/serverless";
import { type Migration, MigrationError } from "./files.js";

export type Sql = NeonQueryFunction<false, false>;

export interface AppliedMigration {
  name: string;
  checksum: string;
  appliedAt: Date;
}

/** Serialises the transactions of concurrent runners. */
export function lockRecord(sql: Sql) {
  return sql`SELECT pg_advisory_xact_lock(7241996011)`;
}

export async function requireUtf8(sql: Sql): Promise<void> {
  const [row] = await sql`SELECT current_setting('server_encoding') AS encoding`;
  if (row?.encoding === "UTF8") return;
  throw new MigrationError(
    `The database encoding is ${row?.encoding} but must be UTF8: create it with ENCODING 'UTF8' TEMPLATE template0`,
  );
}

/** Creates `schema_migrations` and `schema_migration_leases` if they are missing. */
export async function prepareRecord(sql: Sql): Promise<void> {
  if (await hasRecord(sql)) return;
  await sql.transaction([
    lockRecord(sql),
    sql`CREATE TABLE IF NOT EXISTS schema_migrations (
      name text PRIMARY KEY,
      checksum text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`,
    sql`CREATE TABLE IF NOT EXISTS schema_migration_leases (
      name text PRIMARY KEY,
      holder text NOT NULL,
      expires_at timestamptz NOT NULL
    )`,
  ]);
}

export async function listApplied(sql: Sql): Promise<AppliedMigration[]> {
  if (!(await hasRecord(sql))) return [];
  const rows = await sql`
    SELECT name, checksum, extract(epoch FROM applied_at)::float8 AS seconds
    FROM schema_migrations ORDER BY name COLLATE "C"`;
  // Not as a timestamp: drizzle replaces the client's parser.
  return rows.map(({ name, checksum, seconds }) => ({
    name,
    checksum,
    appliedAt: new Date(seconds * 1000),
  }));
}

export async function isApplied(sql: Sql, name: string): Promise<boolean> {
  return (await listApplied(sql)).some((applied) => applied.name === name);
}

/** Fails on the primary key when another runner was first. */
export function recordApplied(sql: Sql, { name, checksum }: Migration) {
  return sql`INSERT INTO schema_migrations (name, checksum) VALUES (${name}, ${checksum})`;
}

/** Fails with a division by zero when another runner was first. */
export function recordUndone(sql: Sql, { name }: Migration) {
  return sql`
    WITH undone AS (DELETE FROM schema_migrations WHERE name = ${name} RETURNING name)
    SELECT 1 / count(*) FROM undone`;
}

/** Files that had to change, because a role without superuser could not apply them. Both forms have the same effect. */
const earlierChecksums: Readonly<Record<string, string>> = {
  "0012_create_audit_seals": "4ae1a32b6cd5a60f9a782a0897f11396c903fddedcff9750c3ba0d3970276fab",
};

export function rejectChangedMigrations(
  migrations: Migration[],
  applied: AppliedMigration[],
): void {
  const checksums = new Map(applied.map(({ name, checksum }) => [name, checksum]));
  const changed = migrations.find(
    ({ name, checksum }) =>
      checksums.has(name) && ![checksum, earlierChecksums[name]].includes(checksums.get(name)),
  );
  if (changed) {
    throw new MigrationError(
      `${changed.name} was changed after it was applied: restore it and write a new migration`,
    );
  }
}

async function hasRecord(sql: Sql): Promise<boolean> {
  const [row] = await sql`SELECT to_regclass('schema_migrations') IS NOT NULL
    AND to_regclass('schema_migration_leases') IS NOT NULL AS "hasRecord"`;
  return row?.hasRecord === true;
}
