import { parseArgs } from "node:util";
import { generateBackupKey } from "../../archives/backup-keys.js";
import { checkArchives } from "../../archives/check.js";
import { recordErasures } from "../../archives/erasures.js";
import { BackupRefusedError } from "../../archives/failures.js";
import {
  type BackupKind,
  findDump,
  listBackups,
  type Manifest,
  readManifest,
} from "../../archives/manifest.js";
import { prune } from "../../archives/prune.js";
import { restoreDump } from "../../archives/restore-dump.js";
import { restoreToMoment } from "../../archives/restore-to-moment.js";
import { type BackupSettings, readBackupSettings } from "../../archives/settings.js";
import { openArchiveStore } from "../../archives/store/open.js";
import { takeBaseBackup } from "../../archives/take-base-backup.js";
import { takeDump } from "../../archives/take-dump.js";
import { shipWal } from "../../archives/wal.js";
import { readMigrations } from "../../db/migrations/migrations.js";
import { EnvironmentError } from "../../env.js";
import { builtRelease } from "../../release.js";
import { runDaily } from "./daily.js";
import { drilledArchives } from "./drilled-archives.js";
import {
  describe,
  type Invocation,
  type Io,
  verifyWithProgress,
  withProgress,
} from "./invocation.js";
import { markRestored, requireRestored } from "./mark-restored.js";
import { isShown, showProgress } from "./progress.js";

const usage = `Usage: backup COMMAND
  key                        make a key for BACKUP_KEY
  take [--base]              take a dump, or a base backup for --at
  list                       list the backups, and what is wrong with others
  verify [ID]                read a backup to the end (default: the newest dump)
  check                      exit with 1 if a backup is missing or old, or its
                             size or manifest is wrong; verify reads it all
  prune [--dry-run]          delete backups older than 30 days
  ship                       move the WAL of BACKUP_WAL_DIR to the store
  run                        do all this each day, and ship WAL each minute
  restore [ID] [--replace DATABASE]
                             restore a dump into the database of DATABASE_URL
  restore --at TIME --into FOLDER
                             make a data directory for that moment
  mark [--confirm closed]    close the app over a server of restore --at; over
                             another one only with the option`;

class UsageError extends Error {}

/** Returns the exit status: 0 done, 1 failed or a problem found, 2 wrong usage or settings, 3 refused. */
export async function backupCommand(
  args: string[],
  env: Record<string, string | undefined>,
  io: Io,
  {
    now = () => new Date(),
    migrations = "drizzle",
  }: { now?: () => Date; migrations?: string } = {},
): Promise<number> {
  try {
    const { name, rest, options } = parse(args);
    if (options.help || name === "help") {
      io.out(usage);
      return 0;
    }
    if (name === "key") {
      io.out(await generateBackupKey());
      io.error("Keep this key apart from the server too: without it no backup can be read.");
      return 0;
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(name ? `Unknown command: ${name}` : "A command is missing.");
    const settings = await readBackupSettings(env);
    const store = await openArchiveStore(settings.url, { mustExist: readingCommands.has(name) });
    return await command({
      settings,
      io,
      rest,
      options,
      migrations,
      context: {
        store,
        keys: settings.keys,
        environment: toolEnvironment(env),
        release: env.GIT_COMMIT_SHA || builtRelease().sha,
        now,
        warn: (text) => io.error(`Warning: ${text}`),
      },
    });
  } catch (error) {
    if (error instanceof UsageError) {
      io.error(error.message);
      io.error(usage);
      return 2;
    }
    io.error(`Error: ${error instanceof Error ? error.message : error}`);
    if (error instanceof EnvironmentError) return 2;
    return error instanceof BackupRefusedError ? 3 : 1;
  }
}

function parse(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        base: { type: "boolean" },
        "dry-run": { type: "boolean" },
        replace: { type: "string" },
        at: { type: "string" },
        into: { type: "string" },
        help: { type: "boolean" },
        confirm: { type: "string" },
      },
    });
    const [name = "", ...rest] = positionals;
    if (rest.length > 1) throw new Error(`Too many arguments: ${rest.slice(1).join(" ")}`);
    return { name, rest, options: values };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const readingCommands = new Set(["list", "verify", "check", "restore"]);

const commands: Record<string, (invocation: Invocation) => Promise<number>> = {
  async take(invocation) {
    const manifest = invocation.options.base
      ? await takeBase(invocation)
      : await takeOne(invocation);
    invocation.io.out(`Done: ${describe(manifest)}`);
    return 0;
  },

  async list({ context, io }) {
    const { complete, broken, incomplete } = await listBackups(context.store, context.keys);
    for (const manifest of complete) io.out(describe(manifest));
    if (complete.length === 0) io.out(`${context.store.description} has no complete backup.`);
    for (const { name, modifiedAt } of incomplete) {
      io.error(`Incomplete: ${name} of ${modifiedAt.toISOString()}`);
    }
    for (const { reason } of broken) io.error(`Broken: ${reason}`);
    return broken.length > 0 ? 1 : 0;
  },

  async verify({ context, io, rest: [id] }) {
    const manifest = await backupOf(context, id);
    await verifyWithProgress(context, manifest);
    io.out(`Done: verified ${describe(manifest)}`);
    return 0;
  },

  async check({ context, settings, io }) {
    const databaseUrl = requireDatabase(settings);
    const problems = await checkArchives({ ...context, databaseUrl }, settings.walFolder);
    for (const problem of problems) io.error(`Problem: ${problem}`);
    if (problems.length === 0) {
      io.out("Done: the backups are complete and recent.");
      io.out("It read no archive: `npm run backup -- verify` reads the newest dump to its end.");
      io.out("Whether a restore works is proven by the drill: `npm run ops -- drill status`.");
    }
    return problems.length > 0 ? 1 : 0;
  },

  async prune({ context, io, options }) {
    const dryRun = options["dry-run"] === true;
    const { backups, wal, unfinished } = await prune(context, { dryRun });
    for (const { kind, id } of backups) io.out(`  ${kind} ${id}`);
    const verb = dryRun ? "Would delete" : "Done: deleted";
    io.out(
      `${verb} ${backups.length} backups, ${wal} WAL files, ${unfinished} interrupted uploads.`,
    );
    return 0;
  },

  async ship({ context, settings, io }) {
    const count = await shipWal(context, requireWal(settings));
    io.out(`Done: ${count} WAL files are in ${context.store.description}.`);
    return 0;
  },

  async mark({ context, settings, io, options, migrations }) {
    const databaseUrl = requireDatabase(settings);
    if (options.confirm !== "closed") await requireRestored(databaseUrl);
    await markRestored(context, databaseUrl, await readMigrations(migrations));
    io.out("Done: marked the database as restored.");
    sayFinish(io);
    return 0;
  },

  run: (invocation) =>
    runDaily(invocation, {
      ...drilledArchives(invocation, requireDatabase(invocation.settings)),
      recordErasures: () =>
        recordErasures({
          ...invocation.context,
          databaseUrl: requireDatabase(invocation.settings),
        }),
      takeDump: () => takeOne(invocation),
      takeBase: () => takeBase(invocation),
    }),

  restore: (invocation) => {
    const { at, into } = invocation.options;
    if (at === undefined && into === undefined) return restoreDatabase(invocation);
    if (at === undefined || into === undefined) {
      throw new UsageError("--at and --into are needed together.");
    }
    return restoreMoment(invocation, at, into);
  },
};

async function takeOne({ context, settings }: Invocation) {
  const databaseUrl = requireDatabase(settings);
  await recordBeforeTake(context, databaseUrl);
  return withProgress(
    "dump",
    await estimatedBytes(context, "dump"),
    (onBytes) => takeDump({ ...context, databaseUrl, onBytes }),
    { isEstimate: true },
  );
}

async function takeBase({ context, settings }: Invocation) {
  const databaseUrl = requireDatabase(settings);
  const wal = requireWal(settings);
  await recordBeforeTake(context, databaseUrl);
  return withProgress(
    "base backup",
    await estimatedBytes(context, "base"),
    (onBytes) => takeBaseBackup({ ...context, databaseUrl, onBytes }, wal),
    { isEstimate: true },
  );
}

/** The size of the last one. A store that cannot be read fails the backup itself, with its own message. */
async function estimatedBytes({ store, keys }: Invocation["context"], kind: BackupKind) {
  if (!isShown()) return undefined;
  const { complete } = await listBackups(store, keys).catch(() => ({ complete: [] as Manifest[] }));
  return complete.findLast((manifest) => manifest.kind === kind)?.bytes;
}

/** A backup without it is better than none; `check` reports it too. */
async function recordBeforeTake(context: Invocation["context"], databaseUrl: string) {
  try {
    await recordErasures({ ...context, databaseUrl });
  } catch (error) {
    context.warn(`The erasures could not be recorded: ${(error as Error).message}`);
  }
}

async function restoreDatabase({
  context,
  settings,
  io,
  rest: [id],
  options,
  migrations,
}: Invocation) {
  const databaseUrl = requireDatabase(settings);
  const manifest = await findDump(context, id);
  const known = await readMigrations(migrations);
  const result = await withTwoPhases(manifest.bytes, ({ onBytes, onVerified }) =>
    restoreDump({ ...context, databaseUrl, onBytes }, manifest, {
      replace: options.replace,
      migrations: known.map(({ name }) => name),
      prepare: (url) => markRestored(context, url, known),
      onVerified,
    }),
  );
  io.out(`Done: restored ${result.database} as of ${manifest.createdAt}, ${result.rows} rows.`);
  if (result.kept) io.out(`The replaced database is kept as ${result.kept}.`);
  sayFinish(io);
  return 0;
}

function sayFinish(io: Io) {
  io.out("The app stays closed until the restore is finished. Start the backend, then:");
  io.out('  npm run ops -- restore finish --reason "restored a backup"');
  io.out("  npm run ops -- verify");
}

async function restoreMoment({ context, io, rest }: Invocation, time: string, into: string) {
  if (rest.length > 0) throw new UsageError("--at chooses the base backup itself: give no ID.");
  const at = new Date(time);
  // Without a zone it would be that of this machine.
  if (Number.isNaN(at.getTime()) || !/T.*(Z|[+-]\d\d:\d\d)$/.test(time)) {
    throw new UsageError("--at must be such as 2026-11-30T12:34:56Z");
  }
  const { base, segments, hasConfiguration } = await withTwoPhases(undefined, (phases) =>
    restoreToMoment(
      { ...context, onBytes: phases.onBytes },
      { at, into, onVerified: phases.onVerified },
    ),
  );
  io.out(
    `Done: ${into} recovers to ${at.toISOString()} when PostgreSQL ${base.postgres} starts on it.`,
  );
  io.out(`It starts from the base backup ${base.id}, with ${segments} WAL segments.`);
  if (!hasConfiguration) {
    const path = `/etc/postgresql/${base.postgres.split(".")[0]}/main/postgresql.conf`;
    io.out(`It has no postgresql.conf: start it with -c config_file=${path}`);
  }
  io.out("Next, as the user that runs PostgreSQL:");
  io.out(`  pg_ctl --pgdata=${into} --wait start`);
  io.out("It accepts no writes until DATABASE_URL names it and this has closed the app:");
  io.out("  npm run backup -- mark");
  return 0;
}

/** The archive is read twice: first to verify it. */
async function withTwoPhases<T>(
  totalBytes: number | undefined,
  action: (phases: { onBytes(bytes: number): void; onVerified(): void }) => Promise<T>,
): Promise<T> {
  let progress = showProgress("verify", totalBytes);
  try {
    return await action({
      onBytes: (bytes) => progress.onBytes(bytes),
      onVerified() {
        progress.stop();
        progress = showProgress("restore", totalBytes);
      },
    });
  } finally {
    progress.stop();
  }
}

async function backupOf(context: Invocation["context"], id: string | undefined) {
  if (id === undefined) return findDump(context, undefined);
  const { store, keys } = context;
  const kind = (await store.find(`base/${id}.json`)) ? "base" : "dump";
  return readManifest(store, keys, kind, id);
}

function requireDatabase({ databaseUrl }: BackupSettings): string {
  if (databaseUrl === undefined) throw new EnvironmentError("DATABASE_URL required");
  return databaseUrl;
}

function requireWal({ walFolder }: BackupSettings): string {
  if (walFolder === undefined) {
    throw new EnvironmentError(
      "BACKUP_WAL_DIR required: the folder into which archive_command writes",
    );
  }
  return walFolder;
}

/** For the programs of PostgreSQL: what finds them and what libpq reads, and no secret of the backend. */
function toolEnvironment(env: Record<string, string | undefined>) {
  const isNeeded = (name: string) => /^(PATH|HOME|LANG|TZ|TMPDIR|PG[A-Z]+)$/.test(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => isNeeded(name)));
}
