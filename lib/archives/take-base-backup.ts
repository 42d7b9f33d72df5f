import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { type BackupContext, listVerified, newBackupId, writeArchive } from "./archive.js";
import { serverVersion, withDatabaseSession } from "./database.js";
import { BackupError } from "./failures.js";
import type { BaseManifest } from "./manifest.js";
import { connectionTo, databaseNameOf, outputOf, requireTool } from "./postgres-tools.js";
import { warnOfClock } from "./take-dump.js";
import { segmentName, segmentOf, shipWal, storedWal } from "./wal.js";

/** One each second. */
const walAttemptsMax = 300;

/**
 * A copy of the whole server as a tar archive, from which a recovery starts. It is listed once the WAL that it needs is in
 * the store too. Needs a role that may replicate, `archive_mode=on`, and no other tablespaces.
 */
export async function takeBaseBackup(context: BackupContext, spool: string): Promise<BaseManifest> {
  const { databaseUrl, environment } = context;
  const manifest = await withDatabaseSession(databaseUrl, async (session) => {
    const { text: postgres, major } = await serverVersion(session);
    await requireTool("pg_basebackup", major, environment);
    await requireArchiving(session);
    const { option, variables } = connectionTo(databaseUrl);
    const run = {
      tool: "pg_basebackup",
      // Without WAL: the server waits until what the backup needs is archived.
      args: [
        ...["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast"],
        ...["--label=linguamate", "--no-password", option],
      ],
      environment: { ...environment, ...variables },
    } as const;
    const id = newBackupId(await databaseClock(session));
    const label = startOf(outputOf(run));
    const archive = await writeArchive(context, "base", id, label.bytes);
    const createdAt = await databaseClock(session);
    warnOfClock(context, createdAt);
    const facts = { ...labelIn(label.text()), ...(await endOf(session)) };
    await waitForWal(session, context, spool, facts);
    return {
      format: 1 as const,
      kind: "base" as const,
      id,
      createdAt: createdAt.toISOString(),
      release: context.release,
      postgres,
      database: databaseNameOf(databaseUrl),
      ...facts,
      ...archive,
    } satisfies BaseManifest;
  });
  return listVerified(context, manifest);
}

/** A segment that was filled during the upload may not be archived yet. */
async function waitForWal(
  session: pg.Client,
  { store, keys }: BackupContext,
  spool: string,
  facts: Pick<BaseManifest, "systemId" | "timeline" | "segmentBytes" | "startWal" | "endWal">,
): Promise<void> {
  const first = segmentOf(facts.startWal, facts.segmentBytes);
  const last = segmentOf(facts.endWal, facts.segmentBytes);
  for (let attempt = 1; ; attempt++) {
    await shipWal({ store, keys }, spool);
    const stored = new Set(await storedWal(store, facts.systemId));
    const missing: string[] = [];
    for (let number = first; number <= last; number++) {
      const name = segmentName(number, facts.segmentBytes, facts.timeline);
      if (!stored.has(name)) missing.push(name);
    }
    if (missing.length === 0) return;
    await requireArchiving(session);
    const { rows } = await session.query("select last_archived_wal from pg_stat_archiver");
    // It is archived, but to somewhere else.
    const isElsewhere = missing.every((name) => String(rows[0].last_archived_wal) >= name);
    if (attempt >= walAttemptsMax || (attempt > 2 && isElsewhere)) {
      throw new BackupError(
        `The WAL of the base backup is not in ${spool}: is this the folder of archive_command? Missing: ${missing.join(", ")}`,
      );
    }
    await setTimeout(1000);
  }
}

/** Otherwise pg_basebackup would wait forever. */
async function requireArchiving(session: pg.Client): Promise<void> {
  const { rows } = await session.query(
    `select current_setting('archive_mode') as mode,
       last_failed_time > coalesce(last_archived_time, '-infinity') as failing, last_failed_wal
     from pg_stat_archiver`,
  );
  const { mode, failing, last_failed_wal } = rows[0];
  if (mode === "off") {
    throw new BackupError("archive_mode is off: a base backup needs the WAL that follows it.");
  }
  if (failing) {
    throw new BackupError(
      `archive_command fails, last for ${last_failed_wal}: see the log of PostgreSQL.`,
    );
  }
}

async function databaseClock(session: pg.Client): Promise<Date> {
  const { rows } = await session.query(
    "select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms",
  );
  return new Date(Math.ceil(rows[0].ms));
}

/** Keeps the first bytes, in which `backup_label` is the first file. */
function startOf(source: AsyncIterable<Uint8Array>) {
  let start = Buffer.alloc(0);
  async function* bytes() {
    for await (const chunk of source) {
      if (start.length < 4096) start = Buffer.concat([start, chunk.subarray(0, 4096)]);
      yield chunk;
    }
  }
  return { bytes: bytes(), text: () => start.toString("latin1") };
}

function labelIn(text: string): { startWal: string; timeline: number } {
  const start = /START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) /.exec(text)?.[1];
  const timeline = /START TIMELINE: (\d+)/.exec(text)?.[1];
  if (!start || !timeline) throw new BackupError("The base backup has no backup_label.");
  return { startWal: start, timeline: Number(timeline) };
}

/** The end of the backup has started a new segment, so it needs at most those before the current one. */
async function endOf(
  session: pg.Client,
): Promise<{ systemId: string; segmentBytes: number; endWal: string }> {
  const { rows } = await session.query(
    `select system_identifier::text as id, bytes,
       ('0/0'::pg_lsn + (floor((pg_current_wal_lsn() - '0/0'::pg_lsn) / bytes) - 1) * bytes)::text as end
     from pg_control_system(), pg_size_bytes(current_setting('wal_segment_size')) as bytes`,
  );
  return { systemId: rows[0].id, segmentBytes: Number(rows[0].bytes), endWal: rows[0].end };
}
