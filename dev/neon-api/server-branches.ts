import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createPostgres,
  giveToPostgres,
  type PostgresServer,
  runPostgresProgram,
  startPostgres,
} from "../postgres-server.js";
import type { BranchDatabase, BranchDatabases } from "./branch-databases.js";

const databaseName = "linguamate";

/**
 * An own PostgreSQL server that archives its WAL. A copy of a past time is a base backup, recovered from the archive up to
 * that time.
 */
export async function serverBranches(): Promise<BranchDatabases> {
  const folder = await mkdtemp(path.join(tmpdir(), "linguamate-neon-"));
  const archive = path.join(folder, "archive");
  const base = path.join(folder, "base");
  for (const name of [archive, base]) await mkdir(name, { mode: 0o700 });
  await giveToPostgres(folder);
  const servers = new Map<string, PostgresServer>();
  let made = 0;

  /** As at Neon, a copy has another host than the live database. */
  function branchOf(server: PostgresServer, host: string): BranchDatabase {
    const uri = `postgresql://postgres@${host}:${server.port}/${databaseName}`;
    servers.set(uri, server);
    return {
      uri,
      async drop() {
        servers.delete(uri);
        await server.stop();
        await server.remove();
      },
    };
  }

  async function baseBackup({ url }: PostgresServer, into: string): Promise<void> {
    const args = ["-d", url, "-D", into, "-X", "stream", "-c", "fast", "--no-sync"];
    await runPostgresProgram("pg_basebackup", args);
  }

  const live = await createPostgres(path.join(folder, "live"), {
    settings: {
      archive_mode: "on",
      archive_command: `cp "%p" "${archive}/%f.part" && mv "${archive}/%f.part" "${archive}/%f"`,
    },
  });
  await live.sql(`create database ${databaseName}`);
  await baseBackup(live, base);

  return {
    live: branchOf(live, "127.0.0.1"),
    async copyOfLive(at) {
      // Recovery needs a commit after the time to know that it is reached.
      await live.sql("select pg_current_xact_id()");
      const [row] = await live.sql("select pg_walfile_name(pg_switch_wal()) as file");
      await waitForFile(path.join(archive, String(row?.file)));
      made += 1;
      const copy = path.join(folder, `copy-${made}`);
      await cp(base, copy, { recursive: true, preserveTimestamps: true });
      await writeFile(path.join(copy, "recovery.signal"), "");
      await giveToPostgres(copy);
      const settings = {
        archive_mode: "off",
        restore_command: `cp "${archive}/%f" "%p"`,
        recovery_target_time: at.toISOString().replace("T", " ").replace("Z", "+00"),
        recovery_target_action: "promote",
      };
      return branchOf(await startPostgres(copy, { settings }), "localhost");
    },
    async copyOf({ uri }) {
      const server = servers.get(uri);
      if (!server) throw new Error("There is no such branch.");
      made += 1;
      const copy = path.join(folder, `copy-${made}`);
      await mkdir(copy, { mode: 0o700 });
      await giveToPostgres(copy);
      await baseBackup(server, copy);
      const settings = { archive_mode: "off" };
      return branchOf(await startPostgres(copy, { settings }), "localhost");
    },
    async close() {
      await Promise.all([...servers.values()].map((server) => server.stop("immediate")));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function waitForFile(file: string): Promise<void> {
  const endMs = Date.now() + 120_000;
  while (!existsSync(file)) {
    if (Date.now() > endMs) throw new Error(`${file} was not archived in 2 min.`);
    await sleep(50);
  }
}
