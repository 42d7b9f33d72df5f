import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "./pgbouncer.js";

export interface PostgresServer {
  /** Of a superuser, with a password. */
  url: string;
  port: number;
  start(): Promise<void>;
  /** As after a power cut. */
  kill(): Promise<void>;
  sql(text: string): Promise<Record<string, unknown>[]>;
  remove(): Promise<void>;
}

const run = promisify(execFile);

/** A PostgreSQL of this test, that it may stop and configure. Passwords are required. Needs the server's programs. */
export async function startPostgresServer(settings: string[] = []): Promise<PostgresServer> {
  const bin = (await run("pg_config", ["--bindir"])).stdout.trim();
  const directory = mkdtempSync(path.join(tmpdir(), "linguamate-postgres-"));
  // Postgres refuses to run as root.
  const owner = process.getuid?.() === 0 ? await idsOf("postgres") : undefined;
  if (owner) chownSync(directory, owner.uid, owner.gid);
  const ids = owner ?? {};
  const password = "superuser-of-the-test";
  const passwordFile = path.join(directory, "password");
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const data = path.join(directory, "data");
  await run(
    path.join(bin, "initdb"),
    [
      ...["--pgdata", data, "--username", "postgres", "--encoding", "UTF8", "--locale", "C"],
      ...["--auth", "scram-sha-256", "--pwfile", passwordFile, "--no-sync"],
    ],
    ids,
  );
  const port = await freePort();
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  let child: ChildProcess | undefined;
  const all = [
    ...["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", `port=${port}`],
    ...settings,
  ];
  const server: PostgresServer = {
    url,
    port,
    async start() {
      const options = all.flatMap((setting) => ["-c", setting]);
      child = spawn(path.join(bin, "postgres"), ["-D", data, ...options], {
        stdio: "ignore",
        ...ids,
      });
      for (let tries = 0; ; tries++) {
        const error = await server.sql("select 1").then(
          () => undefined,
          (cause: unknown) => cause,
        );
        if (!error) return;
        if (tries > 300) throw error;
        await sleep(100);
      }
    },
    async kill() {
      if (!child || child.exitCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGQUIT");
      await exited;
    },
    async sql(text) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    async remove() {
      await server.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const idOf = async (option: string) => Number((await run("id", [option, user])).stdout);
  return { uid: await idOf("-u"), gid: await idOf("-g") };
}
