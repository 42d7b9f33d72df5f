import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createPostgres, giveToPostgres, type PostgresServer } from "../../dev/postgres-server.js";

/** The `archive_command` of a self-hosted server. */
export const archiveCommand = (wal: string) =>
  `sh ${join(process.cwd(), "lib/self-hosted/archive-wal.sh")} "%p" "%f" ${wal}`;

/** A PostgreSQL server in `root` that archives its WAL into `wal`, as a self-hosted one does. */
export async function createArchivingPostgres(root: string, wal: string): Promise<PostgresServer> {
  mkdirSync(wal, { recursive: true });
  await giveToPostgres(wal);
  return createPostgres(join(root, "data"), {
    settings: { archive_mode: "on", archive_command: archiveCommand(wal) },
  });
}
