import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { appendFile, chmod, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./free-port.js";

type Settings = Record<string, string>;

export interface PostgresServer {
  /** Of the superuser, for the database `postgres`. */
  url: string;
  port: number;
  data: string;
  /** Returns when it accepts writes: a recovery has ended. */
  start(): Promise<void>;
  /** Does nothing when it does not run. `immediate` is as after a power cut. */
  stop(mode?: keyof typeof signals): Promise<void>;
  /** As the superuser. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** Stop it, and delete its data. */
  remove(): Promise<void>;
}

const run = promisify(execFile);
const signals = { fast: "SIGINT", immediate: "SIGQUIT" } as const;
const debianRoot = "/usr/lib/postgresql";
const readyWithinMs = 120_000;

/**
 * A PostgreSQL server of its own, from Debian's packages, on a free local port. It is not durable. The settings become part
 * of its data directory, so that a base backup has them. With a password it requires passwords.
 */
export async function createPostgres(
  data: string,
  { settings = {}, password }: { settings?: Settings; password?: string | undefined } = {},
): Promise<PostgresServer> {
  // PostgreSQL may run as another user.
  await chmod(path.dirname(data), 0o755);
  await mkdir(data, { mode: 0o700 });
  await giveToPostgres(data);
  const passwordFile = `${data}.password`;
  if (password) await writeFile(passwordFile, password);
  const access = password ? ["--auth=scram-sha-256", "--pwfile", passwordFile] : ["--auth=trust"];
  await runPostgresProgram("initdb", [
    ...["--pgdata", data, "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"],
    ...access,
  ]);
  await rm(passwordFile, { force: true });
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(path.join(data, "postgresql.conf"), lines.join(""));
  return startPostgres(data, { password });
}

/** The server of an existing data directory. These settings are for this server only. */
export async function startPostgres(
  data: string,
  { settings = {}, password = "" }: { settings?: Settings; password?: string | undefined } = {},
): Promise<PostgresServer> {
  const port = await freePort();
  const url = `postgresql://postgres${password && `:${password}`}@127.0.0.1:${port}/postgres`;
  const log = `${data}.log`;
  const options = Object.entries({
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "off",
    ...settings,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  let child: ChildProcess | undefined;

  const server: PostgresServer = {
    url,
    port,
    data,
    async start() {
      const output = openSync(log, "w");
      const started = spawn(programPath("postgres"), ["-D", data, ...options], {
        cwd: "/",
        stdio: ["ignore", output, output],
        ...(await postgresUser()),
      });
      closeSync(output);
      child = started;
      const endMs = Date.now() + readyWithinMs;
      while (!(await acceptsWrites().catch(() => false))) {
        const hasEnded = started.exitCode !== null || started.signalCode !== null;
        if (hasEnded || Date.now() > endMs) {
          await server.stop("immediate");
          throw new Error(`PostgreSQL did not start: ${readFileSync(log, "utf8")}`);
        }
        await sleep(50);
      }
    },
    async stop(mode = "fast") {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signals[mode]);
      await exited;
    },
    async sql(text) {
      const client = new pg.Client({ connectionString: url });
      client.on("error", () => {});
      try {
        await client.connect();
        return (await client.query(text)).rows;
      } finally {
        await client.end().catch(() => {});
      }
    },
    async remove() {
      await server.stop("immediate");
      await rm(data, { recursive: true, force: true, maxRetries: 5 });
      await rm(log, { force: true });
    },
  };
  async function acceptsWrites(): Promise<boolean> {
    const [row] = await server.sql("select pg_is_in_recovery() as recovers");
    return row?.recovers === false;
  }
  await server.start();
  return server;
}

/** Such as `pg_basebackup`. Returns when it has ended. */
export async function runPostgresProgram(name: string, args: string[]): Promise<void> {
  await run(programPath(name), args, { cwd: "/", ...(await postgresUser()) });
}

/** A file or folder that the server reads or writes, with all that is in it. */
export async function giveToPostgres(file: string): Promise<void> {
  const user = await postgresUser();
  if (user) await run("chown", ["-R", `${user.uid}:${user.gid}`, file]);
}

function programPath(name: string): string {
  const versions = existsSync(debianRoot) ? readdirSync(debianRoot).map(Number) : [];
  if (versions.length === 0) throw new Error(`PostgreSQL is not installed in ${debianRoot}.`);
  return path.join(debianRoot, String(Math.max(...versions)), "bin", name);
}

/** PostgreSQL refuses to run as root. */
async function postgresUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}
