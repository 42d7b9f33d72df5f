import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import pg from "pg";
import { generateBackupKey } from "../../lib/archives/backup-keys.js";

/** The share of each table; the columns without a default are filled by their type. */
const shares = { users: 0.05, sessions: 0.15, xp_entries: 0.3, access_log: 0.5 };

/**
 * Seeds a database, takes and verifies an encrypted backup, damages copies of it, restores it into an empty database, and
 * compares the row count and a checksum of every table. Needs a PostgreSQL whose role may create databases.
 */
export async function prove([rowsText = "1000000"]: string[]): Promise<boolean> {
  const rows = Number(rowsText);
  const server = process.env.TEST_DATABASE_URL ?? "postgresql://postgres@127.0.0.1:5432/postgres";
  const folder = mkdtempSync(join(tmpdir(), "prove-backup-"));
  const suffix = `${process.pid}_${Date.now().toString(36)}`;
  const source = withDatabase(server, `prove_backup_${suffix}`);
  const target = withDatabase(server, `prove_restore_${suffix}`);
  const store = join(folder, "store");
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    BACKUP_URL: `file://${store}`,
    BACKUP_KEY: await generateBackupKey(),
  };
  const backup = (args: string[], more: Record<string, string> = {}) =>
    measured(["dev/run.mjs", "backup", ...args], { ...env, DATABASE_URL: source, ...more });
  try {
    await query(server, `create database ${nameIn(source)}`);
    await query(server, `create database ${nameIn(target)}`);
    migrate(source);
    report("seed", await timed(() => seed(source, rows)));
    const before = await checksums(source);
    const total = Object.values(before).reduce((sum, { count }) => sum + count, 0);
    console.log(`  ${Object.keys(before).length} tables, ${total} rows`);
    report("take", expectStatus(0, await backup(["take"])));
    const [archive = ""] = readdirSync(join(store, "dump")).filter((name) => name.endsWith(".age"));
    const path = join(store, "dump", archive);
    console.log(`  ${statSync(path).size} bytes, encrypted`);
    report("verify", expectStatus(0, await backup(["verify"])));
    copyFileSync(path, join(folder, "intact"));
    for (const [damage, apply] of Object.entries(damages)) {
      apply(path);
      const refused = await backup(["restore", archive.slice(0, -4)], { DATABASE_URL: target });
      report(`restore of one that is ${damage}: refused`, expectStatus(3, refused));
      copyFileSync(join(folder, "intact"), path);
    }
    const BACKUP_KEY = await generateBackupKey();
    const wrong = await backup(["restore"], { DATABASE_URL: target, BACKUP_KEY });
    report("restore with another key: refused", expectStatus(3, wrong));
    if (Object.keys(await checksums(target)).length > 0) throw new Error("Something was written.");
    report("restore", expectStatus(0, await backup(["restore"], { DATABASE_URL: target })));
    const after = await checksums(target);
    const different = Object.keys({ ...before, ...after }).filter(
      (table) =>
        // By which the restore has closed the app.
        table !== "security_settings" &&
        JSON.stringify(before[table]) !== JSON.stringify(after[table]),
    );
    if (different.length > 0) throw new Error(`Different after the restore: ${different}`);
    console.log("Done: every table has the same rows and checksum after the restore.");
    return true;
  } finally {
    for (const url of [source, target]) {
      await query(server, `drop database if exists ${nameIn(url)} with (force)`);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

const damages: Record<string, (path: string) => void> = {
  truncated: (path) => truncateSync(path, statSync(path).size - 1),
  altered: (path) => {
    const bytes = readFileSync(path);
    const middle = bytes.length >> 1;
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    writeFileSync(path, bytes);
  },
};

interface Measured {
  seconds: number;
  status?: number;
  said?: string;
  rssBytes?: number;
}

function report(what: string, { seconds, rssBytes }: Measured): void {
  const memory = rssBytes ? `  ${Math.round(rssBytes / 1e6)} MB peak RSS` : "";
  console.log(`${what}  ${seconds.toFixed(1)} s${memory}`);
}

function expectStatus(status: number, result: Measured): Measured {
  if (result.status === status) return result;
  throw new Error(`Exit status ${result.status} instead of ${status}: ${result.said}`);
}

/** The peak memory is that of the program, without pg_dump and pg_restore. */
async function measured(
  args: string[],
  env: Record<string, string | undefined>,
): Promise<Measured> {
  const started = performance.now();
  const report = `process.on("exit", () => process.stderr.write("\\nrss " + process.resourceUsage().maxRSS))`;
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(report)}`, ...args],
    { env, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => {
      said += bytes;
    });
  }
  const [status] = await once(child, "close");
  const rss = Number(/\nrss (\d+)$/.exec(said)?.[1] ?? 0) * 1024;
  return { seconds: (performance.now() - started) / 1000, status, said, rssBytes: rss };
}

async function timed(action: () => Promise<void>): Promise<Measured> {
  const started = performance.now();
  await action();
  return { seconds: (performance.now() - started) / 1000 };
}

function migrate(url: string): void {
  execFileSync(process.execPath, ["dev/run.mjs", "migrate", "up"], {
    env: { PATH: process.env.PATH, DATABASE_URL: url },
    stdio: "ignore",
  });
}

async function seed(url: string, rows: number): Promise<void> {
  const session = new pg.Client({ connectionString: url });
  await session.connect();
  try {
    // Triggers and foreign keys would only slow the seed down.
    await session.query("set session_replication_role = replica");
    for (const [table, share] of Object.entries(shares)) {
      await fill(session, table, Math.round(rows * share), Math.round(rows * shares.users));
    }
  } finally {
    await session.end();
  }
}

async function fill(session: pg.Client, table: string, rows: number, users: number): Promise<void> {
  const { rows: columns } = await session.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, null) as type
     from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped
       and attnotnull and not atthasdef and attidentity = ''`,
    [table],
  );
  const values = columns.map(({ name, type }) => expressionFor(table, name, type, users));
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  await session.query(
    `insert into ${table} (${names}) select ${values.join(", ")} from generate_series(1, ${rows}) n`,
  );
}

function expressionFor(table: string, name: string, type: string, users: number): string {
  if (name === "user_id") return userId(`(n % ${users} + 1)`);
  const known = knownValues[`${table}.${name}`] ?? valuesByType[type];
  if (known === undefined) throw new Error(`No value for ${table}.${name}, ${type}`);
  return known;
}

/** Rows refer to users that exist, by a number that both sides know. */
const userId = (number: string) => `md5('user ' || ${number})::uuid`;
const knownValues: Record<string, string> = {
  "users.id": userId("n"),
};

const valuesByType: Record<string, string> = {
  uuid: "gen_random_uuid()",
  text: "md5(n::text)",
  bytea: "decode(md5(n::text), 'hex')",
  integer: "n",
  smallint: "1",
  bigint: "n",
  boolean: "true",
  jsonb: "'{}'",
  "text[]": "'{}'",
  inet: "'203.0.113.7'",
  "double precision": "n",
  real: "n",
  numeric: "n",
  date: "current_date",
  "timestamp with time zone": "now()",
};

interface Sum {
  count: number;
  sum: string;
}

/** Independent of the order of the rows. */
async function checksums(url: string): Promise<Record<string, Sum>> {
  const tables = await query(
    url,
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
  );
  const sums: Record<string, Sum> = {};
  for (const { name } of tables) {
    const [row] = await query(
      url,
      `select count(*)::int as count, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as sum from "${name}" t`,
    );
    sums[String(name)] = row as unknown as Sum;
  }
  return sums;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const session = new pg.Client({ connectionString: url });
  await session.connect();
  try {
    return (await session.query(text)).rows;
  } finally {
    await session.end();
  }
}

function withDatabase(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).toString();
}

function nameIn(url: string): string {
  return new URL(url).pathname.slice(1);
}
