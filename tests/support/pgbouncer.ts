import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { freePort } from "../../dev/free-port.js";

export interface PgBouncer {
  /** The URL of a database through the pooler. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** Start a PgBouncer in front of the server of `target`, with few server connections per database. */
export async function startPgBouncer(
  target: string,
  poolMode: "session" | "transaction",
): Promise<PgBouncer> {
  const directory = mkdtempSync(path.join(tmpdir(), "linguamate-pgbouncer-"));
  const file = path.join(directory, "pgbouncer.ini");
  const port = await freePort();
  const { hostname, port: serverPort, username } = new URL(target);
  const serverConnections = poolMode === "session" ? 50 : 3;
  writeFileSync(
    file,
    `[databases]
* = host=${hostname} port=${serverPort || 5432} user=${username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = any
pool_mode = ${poolMode}
default_pool_size = ${serverConnections}
max_client_conn = 200
unix_socket_dir =
`,
  );
  // PgBouncer refuses to run as root; the other user must be able to read the file.
  chmodSync(directory, 0o755);
  const user = process.getuid?.() === 0 ? ["--user", "postgres"] : [];
  const child: ChildProcess = spawn("pgbouncer", ["--quiet", ...user, file], { stdio: "ignore" });
  await Promise.race([
    once(child, "spawn"),
    once(child, "error").then(([cause]) => {
      throw new Error("This test needs PgBouncer: install pgbouncer.", { cause });
    }),
  ]);
  const through = (url: string) =>
    Object.assign(new URL(url), { hostname: "127.0.0.1", port: String(port) }).href;
  await untilReady(through(target));
  return {
    through,
    async stop() {
      const exited = once(child, "exit");
      child.kill("SIGINT");
      const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
      await exited;
      clearTimeout(timer);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function untilReady(connectionString: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    }
  }
}
