import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { parseDatabaseUrl } from "../database-url.js";
import type { BackupContext } from "./archive.js";
import { withDatabaseSession } from "./database.js";
import { BackupError } from "./failures.js";
import { isFromFuture, listBackups, startOf } from "./manifest.js";
import { databaseNameOf, outputOf, requireTool } from "./postgres-tools.js";
import { restoreToMoment } from "./restore-to-moment.js";

/**
 * Of the server on a copy. Only the user who runs it can reach it: the folder, with its socket, has the mode 700. The last
 * line of a setting counts, so these replace the ones of the live server.
 */
const settings = {
  listen_addresses: "",
  unix_socket_directories: ".",
  port: "5432",
  hba_file: "drill_hba.conf",
  ssl: "off",
  archive_mode: "off",
  // A standby would need the limits of the live server.
  hot_standby: "off",
  shared_preload_libraries: "",
  shared_buffers: "128MB",
  autovacuum: "off",
  fsync: "off",
  logging_collector: "off",
  log_destination: "stderr",
  lc_messages: "C",
};
const logName = "drill.log";
const pollMs = 200;
/** pg_ctl says every second that it still waits. */
const startSecondsMax = 86_400;

/**
 * Between the two newest base backups, just before a canary: its row was committed after that moment and before the second
 * backup began, so that the recovery surely ends there. Undefined without such a moment.
 */
export async function momentToProve({
  store,
  keys,
  databaseUrl,
  now,
}: Pick<BackupContext, "store" | "keys" | "databaseUrl" | "now">): Promise<Date | undefined> {
  const { complete } = await listBackups(store, keys);
  const bases = complete.filter((each) => each.kind === "base" && !isFromFuture(each, now()));
  const [first, second] = bases.slice(-2);
  if (first?.kind !== "base" || second?.kind !== "base") return undefined;
  if (first.systemId !== second.systemId || first.timeline !== second.timeline) return undefined;
  const { rows } = await withDatabaseSession(databaseUrl, (session) =>
    session.query<{ ms: number | null }>(
      `select floor(extract(epoch from max(at)) * 1000)::float8 as ms from backup_canaries
       where at > $1::timestamptz + interval '2 milliseconds' and at < $2`,
      [first.createdAt, startOf(second)],
    ),
  );
  const canaryMs = rows[0]?.ms;
  return canaryMs ? new Date(canaryMs - 1) : undefined;
}

type Scratch = Pick<BackupContext, "environment" | "store">;

/** Makes the copy, a data directory. After a kill it does not exist; the next try removes what was left. */
export async function restoreMomentCopy(
  context: BackupContext,
  at: Date,
  name: string,
): Promise<void> {
  const { major, environment } = await serverTools(context);
  await requireTool("pg_ctl", major, environment);
  await restoreToMoment(context, { at, into: momentCopyFolder(context, name), settings });
}

/** Starts a server on the copy, unless it runs, and waits until it has recovered. Returns its URL. */
export async function startMomentCopy(context: BackupContext, path: string): Promise<string> {
  const url = urlOf(context.databaseUrl, path);
  // It was started by a process that was killed.
  while ((await stateOf(url)) === "starting") await setTimeout(pollMs);
  if ((await stateOf(url)) === "ready") return url;
  await writeFile(join(path, "drill.conf"), "");
  await writeFile(join(path, settings.hba_file), "local all all trust\n");
  try {
    const wait = ["--wait", `--timeout=${startSecondsMax}`];
    const own = [`--log=${logName}`, "--options=-c config_file=drill.conf"];
    await pgCtl(context, path, ["start", ...wait, ...own]);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new BackupError(`The copy does not start: ${await lastFailure(path, error)}`, {
      cause: error,
    });
  }
  return url;
}

/** Those of this installation that are complete, and what a killed restore has left of others. */
export async function listMomentCopies(
  context: Scratch,
  prefix: string,
): Promise<{ path: string; name: string; createdAt: Date }[]> {
  const folder = scratchOf(context);
  const own = ownPrefixOf(context);
  const copies: { path: string; name: string; createdAt: Date }[] = [];
  for (const entry of await readdir(folder)) {
    const visible = entry.replace(/^\./, "");
    if (!visible.startsWith(own + prefix)) continue;
    const path = join(folder, entry);
    const found = await stat(path).catch(() => undefined);
    const name = visible.slice(own.length);
    if (found?.isDirectory()) copies.push({ path, name, createdAt: found.birthtime });
  }
  return copies;
}

/** Stops its server and deletes it. */
export async function dropMomentCopy(
  context: Pick<BackupContext, "environment" | "databaseUrl">,
  path: string,
): Promise<void> {
  if (dirname(path) !== scratchOf(context)) throw new BackupError(`${path} is no copy.`);
  const url = urlOf(context.databaseUrl, path);
  if ((await stateOf(url)) !== "down") {
    await pgCtl(context, path, ["stop", "--wait", "--mode=immediate"]);
  }
  await rm(path, { recursive: true, force: true, maxRetries: 5 });
}

/** Where the copy of that name is. Another installation with the same TMPDIR has other folders. */
export function momentCopyFolder(context: Scratch, name: string): string {
  return join(scratchOf(context), `${ownPrefixOf(context)}${name}`);
}

/** Short, because the path of the socket in the folder may have 107 bytes. Of the archives, which no two installations share. */
const ownPrefixOf = ({ store }: Pick<BackupContext, "store">) =>
  `${createHash("sha256").update(store.description).digest("hex").slice(0, 8)}-`;

const scratchOf = ({ environment }: Pick<BackupContext, "environment">) =>
  environment.TMPDIR || tmpdir();

function urlOf(databaseUrl: string, path: string): string {
  const { username, searchParams } = parseDatabaseUrl(databaseUrl);
  const user = decodeURIComponent(username) || searchParams.get("user") || userInfo().username;
  const [name, host] = [databaseNameOf(databaseUrl), path].map(encodeURIComponent);
  return `postgresql://${encodeURIComponent(user)}@/${name}?host=${host}`;
}

/** Of the live server. Debian keeps the programs of a server outside of PATH. */
async function serverTools({ databaseUrl, environment }: BackupContext) {
  const { rows } = await withDatabaseSession(databaseUrl, (session) =>
    session.query("select current_setting('server_version_num')::int / 10000 as major"),
  );
  const { major } = rows[0];
  return { major, environment: withServerPath(environment, major) };
}

const withServerPath = (environment: BackupContext["environment"], major: number | string) => ({
  ...environment,
  PATH: `/usr/lib/postgresql/${major}/bin:${environment.PATH ?? ""}`,
});

async function pgCtl(
  { environment }: Pick<BackupContext, "environment">,
  path: string,
  args: string[],
): Promise<void> {
  const version = join(path, "PG_VERSION");
  const { uid, gid } = await stat(version);
  const run = {
    tool: "pg_ctl",
    args: [...args, "--pgdata=."],
    environment: withServerPath(environment, (await readFile(version, "utf8")).trim()),
    cwd: path,
    // PostgreSQL refuses to run as root.
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
  } as const;
  for await (const _ of outputOf(run));
}

/** During a recovery it refuses connections. */
async function stateOf(url: string): Promise<"ready" | "starting" | "down"> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return "ready";
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ECONNREFUSED") return "down";
    if (code === cannotConnectNow) return "starting";
    throw new BackupError(`The copy cannot be reached: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}

const cannotConnectNow = "57P03";

async function lastFailure(path: string, error: BackupError): Promise<string> {
  const log = await readFile(join(path, logName), "utf8").catch(() => "");
  return /(?:FATAL|PANIC): {2}(.*)\n(?![\s\S]*(?:FATAL|PANIC): )/.exec(log)?.[1] ?? error.message;
}
