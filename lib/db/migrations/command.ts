import { failureMessage } from "../failure-message.js";
import {
  createMigration,
  type Migration,
  migrateDown,
  migrateUp,
  migrationStatus,
  readMigrations,
} from "./migrations.js";
import type { Sql } from "./record.js";

interface Io {
  out(line: string): void;
  error(line: string): void;
}

type Connect = () => Promise<{ sql: Sql; close(): Promise<void> }>;

const usage = "Usage: migrate up | down [--force] | status | create NAME";

/** Returns the exit code: 0 success, 1 failure, 2 wrong usage. */
export async function migrateCommand(
  args: string[],
  connect: Connect,
  io: Io,
  {
    directory = "drizzle",
    headFile = "lib/db/migration-head.ts",
    env = process.env,
  }: { directory?: string; headFile?: string; env?: Record<string, string | undefined> } = {},
): Promise<number> {
  const [action, ...rest] = args;
  const force = action === "down" && rest.length === 1 && rest[0] === "--force";
  const [name] = rest;
  try {
    if (action === "create" && name && rest.length === 1) {
      const { up, down } = await createMigration(directory, name, headFile);
      io.out(`Created ${up}`);
      io.out(`Created ${down}`);
      io.out(`Wrote ${headFile}`);
      return 0;
    }
    const command = action && Object.hasOwn(commands, action) ? commands[action] : undefined;
    if (!command || (rest.length > 0 && !force)) {
      io.error(usage);
      return 2;
    }
    const migrations = await readMigrations(directory);
    const isProduction = env.NODE_ENV === "production" || env.VERCEL_ENV === "production";
    const { sql, close } = await connect();
    try {
      await command({ sql, migrations, io, isProduction, force });
    } finally {
      await close();
    }
    return 0;
  } catch (error) {
    io.error(oneLine(error));
    return 1;
  }
}

interface Run {
  sql: Sql;
  migrations: Migration[];
  io: Io;
  isProduction: boolean;
  force: boolean;
}

const commands: Record<string, (run: Run) => Promise<void>> = {
  async up({ sql, migrations, io }) {
    let count = 0;
    const { pending, unknown } = await migrateUp(sql, migrations, (name) => {
      count++;
      io.out(`Applied ${name}`);
    });
    for (const name of pending) io.out(`Skipped ${name}: its file contains no statement yet`);
    for (const name of unknown) io.out(`Ignored ${name}: it is from a newer release`);
    if (count === 0 && pending.length === 0)
      io.out("No pending migrations: the database is up to date");
  },

  async down({ sql, migrations, io, isProduction, force }) {
    const undone = await migrateDown(sql, migrations, { isProduction, force });
    io.out(undone ? `Undid ${undone}` : "No migration is applied");
  },

  async status({ sql, migrations, io }) {
    const { applied, pending, unknown } = await migrationStatus(sql, migrations);
    for (const { name, appliedAt } of applied) {
      const origin = unknown.includes(name) ? " (from a newer release)" : "";
      io.out(`applied  ${name}  ${appliedAt.toISOString()}${origin}`);
    }
    for (const name of pending) io.out(`pending  ${name}`);
    if (applied.length + pending.length === 0) io.out("There are no migrations");
  },
};

export function oneLine(error: unknown): string {
  return failureMessage(error).replace(/\s*\n\s*/g, " ");
}
