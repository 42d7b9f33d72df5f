import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";

const versions = "/usr/lib/postgresql";
const [newest] = existsSync(versions) ? readdirSync(versions).sort((a, b) => +b - +a) : [];
const program = (name: string) => join(versions, newest ?? "", "bin", name);
const isRoot = process.getuid?.() === 0;

/** PostgreSQL refuses to run as root, so it then runs as `postgres`. */
function run(name: string, args: string[]): void {
  const command = [program(name), ...args];
  // Without a pipe, which the server would keep open.
  const options = { stdio: "ignore", timeout: 120_000, cwd: "/" } as const;
  if (isRoot) execFileSync("runuser", ["-u", "postgres", "--", ...command], options);
  else execFileSync(command[0] ?? "", command.slice(1), options);
}

export function giveToPostgres(path: string): void {
  if (isRoot) execFileSync("chown", ["-R", "postgres:postgres", path]);
}

export interface OwnPostgres {
  url: string;
  data: string;
  stop(mode?: "fast" | "immediate"): void;
}

/** A server of its own, from Debian's packages, in `root`; it archives WAL into `wal`. */
export async function createOwnPostgres(root: string, wal: string): Promise<OwnPostgres> {
  chmodSync(root, 0o755);
  const data = join(root, "data");
  for (const path of [data, wal]) mkdirSync(path, { recursive: true });
  for (const path of [data, wal]) giveToPostgres(path);
  run("initdb", ["--pgdata", data, "--auth=trust", "--username=postgres", "--encoding=UTF8"]);
  const script = join(process.cwd(), "lib/self-hosted/archive-wal.sh");
  appendFileSync(
    join(data, "postgresql.conf"),
    [
      "listen_addresses = '127.0.0.1'",
      "fsync = off",
      "archive_mode = on",
      `archive_command = 'sh ${script} "%p" "%f" ${wal}'`,
      "",
    ].join("\n"),
  );
  return startOwnPostgres(root, data);
}

/** Returns when it accepts writes: a recovery has ended. */
export async function startOwnPostgres(root: string, data: string): Promise<OwnPostgres> {
  const port = await freePort();
  const options = `-p ${port} -k ${root}/sockets`;
  mkdirSync(join(root, "sockets"), { recursive: true });
  giveToPostgres(join(root, "sockets"));
  const log = join(root, "sockets", "log");
  try {
    run("pg_ctl", [
      ...["start", "--pgdata", data, "--wait", "--timeout=100", "--log", log],
      ...["-o", options],
    ]);
  } catch (error) {
    throw new Error(readFileSync(log, "utf8"), { cause: error });
  }
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    data,
    stop: (mode = "fast") => run("pg_ctl", ["stop", "--pgdata", data, "--wait", "--mode", mode]),
  };
}

export function removeOwnPostgres(server: OwnPostgres | undefined): void {
  if (!server) return;
  try {
    server.stop("immediate");
  } catch {
    // It was stopped by the test.
  }
  rmSync(server.data, { recursive: true, force: true, maxRetries: 5 });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
