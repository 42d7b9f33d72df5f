import { type BackupContext, listVerified, newBackupId, writeArchive } from "./archive.js";
import { appliedMigrations, countRows, serverVersion, withDatabaseSession } from "./database.js";
import { clockDifferenceMsMax, type DumpManifest } from "./manifest.js";
import { connectionTo, databaseNameOf, outputOf, requireTool } from "./postgres-tools.js";

/** A logical backup of the database at one moment. Two at once are two backups; an interrupted one is never listed. */
export async function takeDump(context: BackupContext): Promise<DumpManifest> {
  const { databaseUrl, environment } = context;
  const manifest = await withDatabaseSession(databaseUrl, async (session) => {
    const { text: postgres, major } = await serverVersion(session);
    await requireTool("pg_dump", major, environment);
    await session.query("begin isolation level repeatable read read only");
    const { rows } = await session.query(
      `select pg_export_snapshot() as snapshot, (extract(epoch from now()) * 1000)::float8 as ms`,
    );
    const createdAt = new Date(Math.floor(rows[0].ms));
    warnOfClock(context, createdAt);
    const id = newBackupId(createdAt);
    const { option, variables } = connectionTo(databaseUrl);
    const args = ["--format=custom", `--snapshot=${rows[0].snapshot}`, "--no-password", option];
    const run = { tool: "pg_dump", args, environment: { ...environment, ...variables } } as const;
    const counted = Promise.all([countRows(session), appliedMigrations(session)]);
    counted.catch(() => {});
    const archive = await writeArchive(context, "dump", id, outputOf(run));
    const [tableRows, migrations] = await counted;
    return {
      format: 1 as const,
      kind: "dump" as const,
      id,
      createdAt: createdAt.toISOString(),
      release: context.release,
      postgres,
      database: databaseNameOf(databaseUrl),
      migrationHead: migrations.at(-1) ?? null,
      rows: tableRows,
      ...archive,
    } satisfies DumpManifest;
  });
  return listVerified(context, manifest);
}

export function warnOfClock({ now, warn }: Pick<BackupContext, "now" | "warn">, database: Date) {
  const seconds = Math.round((now().getTime() - database.getTime()) / 1000);
  if (Math.abs(seconds) * 1000 <= clockDifferenceMsMax) return;
  warn(
    `The clock of this machine is ${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} that of the database.`,
  );
}
