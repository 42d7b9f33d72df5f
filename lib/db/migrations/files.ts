import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Migration {
  name: string;
  checksum: string;
  up: MigrationScript;
  down: MigrationScript | null;
}

export interface MigrationScript {
  statements: string[];
  inTransaction: boolean;
}

export class MigrationError extends Error {}

/** Throws `MigrationError` for a file that cannot be applied safely. */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sql")).sort();
  const ups = files.filter((file) => !file.endsWith(".down.sql"));
  rejectWrongNames(files, ups);
  return Promise.all(
    ups.map(async (file) => {
      const name = file.slice(0, -".sql".length);
      const up = await readText(join(directory, file));
      const down = files.includes(`${name}.down.sql`)
        ? await readText(join(directory, `${name}.down.sql`))
        : null;
      return {
        name,
        checksum: createHash("sha256").update(up).digest("hex"),
        up: parseScript(file, up),
        down: down === null ? null : parseScript(`${name}.down.sql`, down),
      };
    }),
  );
}

/** Also writes the new head into `headFile`. */
export async function createMigration(
  directory: string,
  name: string,
  headFile: string,
): Promise<{ up: string; down: string }> {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || name.length > 60) {
    throw new MigrationError(
      `"${name}" is not a name for a migration: use snake_case, such as add_users_table`,
    );
  }
  const numbers = (await readdir(directory)).map((file) =>
    Number(/^(\d{4})_/.exec(file)?.[1] ?? 0),
  );
  const number = String(Math.max(0, ...numbers) + 1).padStart(4, "0");
  const up = join(directory, `${number}_${name}.sql`);
  const down = join(directory, `${number}_${name}.down.sql`);
  await writeFile(up, upTemplate, { flag: "wx" });
  await writeFile(down, downTemplate, { flag: "wx" });
  await writeFile(headFile, headOf(`${number}_${name}`));
  return { up, down };
}

/** The text of `lib/db/migration-head.ts`. */
export const headOf = (
  name: string,
) => `/** The newest migration that this release was written against. */
export const migrationHead = "${name}";
`;

const breakpoint = "--> statement-breakpoint";
/** Only at the end of a line, so that a comment may mention it. */
const breakpoints = new RegExp(`${breakpoint}[ \\t]*$`, "m");
const outsideTransaction = "-- no transaction";

const upTemplate = `-- What changes, and why. Old and new functions run side by side during a deploy: add first, remove
-- one release later. Put a line "${breakpoint}" between two statements.
`;

const downTemplate = `-- Undo the migration of the same name.
`;

async function readText(path: string): Promise<string> {
  // Git may check out files with CRLF.
  return (await readFile(path, "utf8")).replaceAll("\r\n", "\n");
}

function rejectWrongNames(files: string[], ups: string[]): void {
  const owners = new Map<string, string>();
  for (const file of ups) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1];
    if (!number) throw new MigrationError(`${file} is not named like 0001_add_users_table.sql`);
    const other = owners.get(number);
    if (other) throw new MigrationError(`${other} and ${file} have the same number: rename one`);
    owners.set(number, file);
  }
  const orphan = files.find(
    (file) => file.endsWith(".down.sql") && !ups.includes(file.replace(/\.down\.sql$/, ".sql")),
  );
  if (orphan) throw new MigrationError(`${orphan} has no matching migration`);
}

function parseScript(file: string, text: string): MigrationScript {
  const statements = text
    .split(breakpoints)
    .map((statement) => statement.trim())
    .filter((statement) => withoutComments(statement) !== "");
  const inTransaction = text.split("\n", 1)[0]?.trim() !== outsideTransaction;
  const problem = inTransaction
    ? problemInTransaction(statements)
    : problemOutsideTransaction(statements);
  if (problem) throw new MigrationError(`${file} ${problem}`);
  return { statements, inTransaction };
}

function problemInTransaction(statements: string[]): string | undefined {
  const own = statements.find((statement) =>
    /^(begin|start\s+transaction|commit|end|rollback|abort)\b/i.test(withoutComments(statement)),
  );
  return own && "must not begin or end a transaction: it already runs in one";
}

function problemOutsideTransaction([statement, ...more]: string[]): string | undefined {
  if (!statement || more.length > 0) {
    return `must contain exactly one statement, because it starts with "${outsideTransaction}"`;
  }
  const sql = withoutComments(statement);
  if (/^(create|drop|alter)\b/i.test(sql) && !/\bif\s+(not\s+)?exists\b/i.test(sql)) {
    return `must be repeatable (IF NOT EXISTS, IF EXISTS), because it starts with "${outsideTransaction}"`;
  }
  return undefined;
}

function withoutComments(sql: string): string {
  return sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, "").trim();
}
