import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { appendFile, chown, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import type { BranchDatabase, BranchDatabases } from "./branch-databases.js";

const run = promisify(execFile);
const debianRoot = "/usr/lib/postgresql";
const databaseName = "linguamate";

/**
 * An own PostgreSQL server, from Debian's binaries, that archives its WAL. A copy of a past time is a base backup, recovered
 * from the archive up to that time. Durability is off: it is for tests.
 */
export async function serverBranches(): Promise<BranchDatabases> {
  const bin = binaries();
  const owner = await ownerOfServers();
  const folder = await mkdtemp(path.join(tmpdir(), "linguamate-neon-"));
  const archive = path.join(folder, "archive");
  const base = path.join(folder, "base");
  const servers = new Set<ChildProcess>();
  let made = 0;
  if (owner) await chown(folder, owner.uid, owner.gid);
  await ownFolder(archive);

  async function ownFolder(name: string): Promise<void> {
    await mkdir(name, { mode: 0o700 });
    if (owner) await chown(name, owner.uid, owner.gid);
  }
  const command = (name: string, args: string[]) =>
    run(path.join(bin, name), args, { cwd: folder, ...owner });

  /** Start the server of a data directory, and wait until it accepts writes. As at Neon, a copy has another host than the live database. */
  async function start(
    data: string,
    settings: string[],
    host = "localhost",
  ): Promise<BranchDatabase> {
    const port = await freePort();
    const lines = [
      "listen_addresses = '127.0.0.1'",
      `port = ${port}`,
      `unix_socket_directories = '${folder}'`,
      "fsync = off",
      "full_page_writes = on",
      "wal_level = replica",
      "max_wal_senders = 4",
      ...settings,
    ];
    await appendFile(path.join(data, "postgresql.conf"), `\n${lines.join("\n")}\n`);
    const child = spawn(path.join(bin, "postgres"), ["-D", data], {
      cwd: folder,
      stdio: "ignore",
      ...owner,
    });
    servers.add(child);
    const uri = `postgresql://postgres@${host}:${port}/${databaseName}`;
    await waitFor(async () => {
      if (child.exitCode !== null) throw new Error("PostgreSQL did not start.");
      const [row] = await query(uri, "postgres", "select pg_is_in_recovery() as recovers");
      return row?.recovers === false;
    });
    return {
      uri,
      async drop() {
        servers.delete(child);
        await stopped(child, "SIGINT");
        await rm(data, { recursive: true, force: true });
      },
    };
  }

  async function baseBackup(uri: string, into: string): Promise<void> {
    const args = ["-d", uri.replace(/\/\w+$/, "/postgres"), "-D", into];
    await command("pg_basebackup", [...args, "-X", "stream", "-c", "fast", "--no-sync"]);
  }

  const data = path.join(folder, "live");
  await ownFolder(data);
  await command("initdb", ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
  const live = await start(
    data,
    [
      "archive_mode = on",
      `archive_command = 'cp "%p" "${archive}/%f.part" && mv "${archive}/%f.part" "${archive}/%f"'`,
    ],
    "127.0.0.1",
  );
  await query(live.uri, "postgres", `create database ${databaseName}`);
  await baseBackup(live.uri, base);

  return {
    live,
    async copyOfLive(at) {
      // Recovery needs a commit after the time to know that it is reached.
      await query(live.uri, databaseName, "select pg_current_xact_id()");
      const [row] = await query(
        live.uri,
        databaseName,
        "select pg_walfile_name(pg_switch_wal()) as file",
      );
      const file = path.join(archive, String(row?.file));
      await waitFor(async () => existsSync(file));
      made += 1;
      const copy = path.join(folder, `copy-${made}`);
      await cp(base, copy, { recursive: true, preserveTimestamps: true });
      await writeFile(path.join(copy, "recovery.signal"), "");
      if (owner) await run("chown", ["-R", `${owner.uid}:${owner.gid}`, copy]);
      await run("chmod", ["700", copy]);
      return start(copy, [
        "archive_mode = off",
        `restore_command = 'cp "${archive}/%f" "%p"'`,
        `recovery_target_time = '${at.toISOString().replace("T", " ").replace("Z", "+00")}'`,
        "recovery_target_action = 'promote'",
      ]);
    },
    async copyOf({ uri }) {
      made += 1;
      const copy = path.join(folder, `copy-${made}`);
      await baseBackup(uri, copy);
      return start(copy, ["archive_mode = off"]);
    },
    async close() {
      await Promise.all([...servers].map((child) => stopped(child, "SIGQUIT")));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function binaries(): string {
  const versions = existsSync(debianRoot) ? readdirSync(debianRoot).map(Number) : [];
  if (versions.length === 0) throw new Error(`PostgreSQL is not installed in ${debianRoot}.`);
  return path.join(debianRoot, String(Math.max(...versions)), "bin");
}

/** PostgreSQL refuses to run as root. */
async function ownerOfServers(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** No rows when the server does not answer. */
async function query(uri: string, database: string, text: string): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: uri.replace(/\/\w+$/, `/${database}`) });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } catch (error) {
    if (isStarting(error)) return [];
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

const isStarting = (error: unknown) =>
  ["ECONNREFUSED", "57P03", "ECONNRESET"].includes(String((error as { code?: string }).code));

async function waitFor(isDone: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 120_000;
  while (!(await isDone())) {
    if (Date.now() > endMs) throw new Error("PostgreSQL was not ready in 2 min.");
    await sleep(50);
  }
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await exited;
}
