import { type Migration, MigrationError, type MigrationScript } from "./files.js";
import { withLease } from "./lease.js";
import { hasCode, runAlone } from "./outside-transaction.js";
import {
  isApplied,
  listApplied,
  lockRecord,
  prepareRecord,
  recordApplied,
  recordUndone,
  rejectChanged,
  requireUtf8,
  type Sql,
} from "./record.js";

export {
  createMigration,
  type Migration,
  MigrationError,
  readMigrations,
} from "./files.js";

export interface MigrationStatus {
  applied: { name: string; appliedAt: Date }[];
  pending: string[];
  /** Applied, but not among the files: from a newer release. */
  unknown: string[];
}

/**
 * Apply what is not applied yet, in order. Several runners may start at once: one applies a migration,
 * the others wait. One that holds no statement yet stays pending. Each is applied whole or not at all; one
 * that fails stops the run and is a MigrationError, as is an applied one whose file has changed, and a
 * database whose encoding cannot hold every letter.
 */
export async function migrateUp(
  sql: Sql,
  migrations: Migration[],
  onApplied: (name: string) => void = () => {},
): Promise<MigrationStatus> {
  await requireUtf8(sql);
  await prepareRecord(sql);
  const { pending } = await migrationStatus(sql, migrations);
  const written = migrations.filter(({ up }) => up.statements.length > 0);
  for (const migration of written.filter(({ name }) => pending.includes(name))) {
    const isOurs = await run(sql, migration.name, migration.up, {
      record: () => recordApplied(sql, migration),
      isDone: () => isApplied(sql, migration.name),
    });
    if (isOurs) onApplied(migration.name);
  }
  return migrationStatus(sql, migrations);
}

/** Undo the migration applied last. Returns its name, or null when none is applied. */
export async function migrateDown(
  sql: Sql,
  migrations: Migration[],
  { isProduction, force }: { isProduction: boolean; force: boolean },
): Promise<string | null> {
  if (isProduction && !force) {
    throw new MigrationError("This is production: undoing a migration loses data. Add --force");
  }
  const last = (await listApplied(sql)).at(-1);
  if (!last) return null;
  const migration = migrations.find(({ name }) => name === last.name);
  if (!migration) {
    throw new MigrationError(`${last.name} is from a newer release, which has to undo it`);
  }
  if (!migration.down) {
    throw new MigrationError(`${migration.name}.down.sql is missing: nothing was undone`);
  }
  if (migration.down.statements.length === 0) {
    throw new MigrationError(`${migration.name}.down.sql holds no statement: nothing was undone`);
  }
  await prepareRecord(sql);
  const isOurs = await run(sql, migration.name, migration.down, {
    record: () => recordUndone(sql, migration),
    isDone: async () => !(await isApplied(sql, migration.name)),
  });
  if (!isOurs) throw new MigrationError(`${migration.name} was undone by another run just now`);
  return migration.name;
}

/** Compare files and database without changing either; throws for an applied file that has changed. */
export async function migrationStatus(sql: Sql, migrations: Migration[]): Promise<MigrationStatus> {
  const applied = await listApplied(sql);
  rejectChanged(migrations, applied);
  const appliedNames = new Set(applied.map(({ name }) => name));
  const names = new Set(migrations.map(({ name }) => name));
  return {
    applied: applied.map(({ name, appliedAt }) => ({ name, appliedAt })),
    pending: [...names].filter((name) => !appliedNames.has(name)),
    unknown: [...appliedNames].filter((name) => !names.has(name)),
  };
}

interface Step {
  /** The change of the record, which fails when another runner has made it. */
  record: () => ReturnType<typeof recordApplied>;
  isDone: () => Promise<boolean>;
}

/** False when another runner did it first. */
async function run(sql: Sql, name: string, script: MigrationScript, step: Step): Promise<boolean> {
  try {
    if (script.inTransaction) {
      const statements = script.statements.map((statement) => sql.query(statement));
      await sql.transaction([lockRecord(sql), step.record(), ...statements]);
      return true;
    }
    return await withLease(sql, name, step.isDone, async () => {
      for (const statement of script.statements) await runAlone(sql, statement);
      await sql.transaction([lockRecord(sql), step.record()]);
    });
  } catch (error) {
    if (!hasCode(error)) throw error;
    if (await step.isDone()) return false;
    const extent = script.inTransaction ? ", and nothing of it was done" : "";
    throw new MigrationError(`${name} failed${extent}: ${error.message}`, { cause: error });
  }
}
