import { type Migration, MigrationError, type MigrationScript } from "./files.js";
import { withLease } from "./lease.js";
import { hasCode, runOutsideTransaction } from "./outside-transaction.js";
import {
  isApplied,
  listApplied,
  lockRecord,
  prepareRecord,
  recordApplied,
  recordUndone,
  rejectChangedMigrations,
  requireUtf8,
  type Sql,
} from "./record.js";

export {
  createMigration,
  type Migration,
  readMigrations,
} from "./files.js";

export interface MigrationStatus {
  applied: { name: string; appliedAt: Date }[];
  pending: string[];
  /** Applied by a newer release: there is no file. */
  unknown: string[];
}

/** Safe to run concurrently. A migration in a transaction is applied completely or not at all. Throws `MigrationError`. */
export async function migrateUp(
  sql: Sql,
  migrations: Migration[],
  onApplied: (name: string) => void = () => {},
): Promise<MigrationStatus> {
  await requireUtf8(sql);
  await prepareRecord(sql);
  const { pending } = await migrationStatus(sql, migrations);
  const nonEmpty = migrations.filter(({ up }) => up.statements.length > 0);
  for (const migration of nonEmpty.filter(({ name }) => pending.includes(name))) {
    const isFirst = await run(sql, migration.name, migration.up, {
      record: () => recordApplied(sql, migration),
      isDone: () => isApplied(sql, migration.name),
    });
    if (isFirst) onApplied(migration.name);
  }
  return migrationStatus(sql, migrations);
}

/** Undoes the newest applied migration. Returns its name, or null when none is applied. Throws `MigrationError`. */
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
    throw new MigrationError(`${last.name} is from a newer release, which must undo it`);
  }
  if (!migration.down) {
    throw new MigrationError(`${migration.name}.down.sql is missing: nothing was changed`);
  }
  if (migration.down.statements.length === 0) {
    throw new MigrationError(
      `${migration.name}.down.sql contains no statement: nothing was changed`,
    );
  }
  await prepareRecord(sql);
  const isFirst = await run(sql, migration.name, migration.down, {
    record: () => recordUndone(sql, migration),
    isDone: async () => !(await isApplied(sql, migration.name)),
  });
  if (!isFirst) throw new MigrationError(`${migration.name} was just undone by another run`);
  return migration.name;
}

/** Read only. Throws `MigrationError` when an applied file has changed. */
export async function migrationStatus(sql: Sql, migrations: Migration[]): Promise<MigrationStatus> {
  const applied = await listApplied(sql);
  rejectChangedMigrations(migrations, applied);
  const appliedNames = new Set(applied.map(({ name }) => name));
  const names = new Set(migrations.map(({ name }) => name));
  return {
    applied: applied.map(({ name, appliedAt }) => ({ name, appliedAt })),
    pending: [...names].filter((name) => !appliedNames.has(name)),
    unknown: [...appliedNames].filter((name) => !names.has(name)),
  };
}

interface Step {
  record: () => ReturnType<typeof recordApplied>;
  isDone: () => Promise<boolean>;
}

async function run(sql: Sql, name: string, script: MigrationScript, step: Step): Promise<boolean> {
  try {
    if (script.inTransaction) {
      const statements = script.statements.map((statement) => sql.query(statement));
      await sql.transaction([lockRecord(sql), step.record(), ...statements]);
      return true;
    }
    return await withLease(sql, name, step.isDone, async () => {
      for (const statement of script.statements) await runOutsideTransaction(sql, statement);
      await sql.transaction([lockRecord(sql), step.record()]);
    });
  } catch (error) {
    if (!hasCode(error)) throw error;
    if (await step.isDone()) return false;
    const extent = script.inTransaction ? " and was rolled back" : "";
    throw new MigrationError(`${name} failed${extent}: ${error.message}`, { cause: error });
  }
}
