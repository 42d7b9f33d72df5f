import { randomBytes } from "node:crypto";
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type BackupContext, readArchive, verifyArchive } from "./archive.js";
import { BackupRefusedError } from "./failures.js";
import { type BaseManifest, listBackups } from "./manifest.js";
import { feed } from "./postgres-tools.js";
import { pathToMoment, type RecoveryPath } from "./recovery-path.js";
import { fetchWal } from "./wal.js";

/** In the data directory: `restore_command` reads the WAL here, so the server needs neither the store nor the key. */
const walFolder = "restore_wal";

/**
 * Makes a data directory that a PostgreSQL of the same major version recovers to the moment `at` when it starts. Throws
 * `BackupRefusedError` before any write if the folder has files, there is no base backup before `at`, or a file that the
 * recovery needs is missing or not intact. After a kill the folder does not exist, and the next restore into it removes what
 * was left beside it.
 */
export async function restoreToMoment(
  context: Omit<BackupContext, "databaseUrl">,
  {
    at,
    into,
    settings = {},
    onVerified,
  }: {
    at: Date;
    into: string;
    /** Further ones for its server. */
    settings?: Record<string, string>;
    onVerified?: () => void;
  },
): Promise<{ base: BaseManifest; segments: number; hasConfiguration: boolean }> {
  const target = resolve(into);
  await refuseOccupied(target);
  const { base, path } = await pathTo(context, at);
  await verifyArchive(context, base);
  onVerified?.();
  const unfinished = `.${basename(target)}.unfinished-`;
  await removeUnfinished(dirname(target), unfinished, context.warn);
  const made = join(dirname(target), `${unfinished}${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(made, { mode: 0o700 });
    const run = {
      tool: "tar",
      args: ["-x", "-C", made],
      environment: context.environment,
    } as const;
    await feed(run, readArchive(context, base));
    // Of the restore from which the server of the base backup was made.
    await rm(join(made, walFolder), { recursive: true, force: true });
    await mkdir(join(made, walFolder), { mode: 0o700 });
    for (const name of [...path.histories, ...path.segments]) {
      await fetchWal(context, base.systemId, name, join(made, walFolder, name));
    }
    await configure(made, at, path.timeline, settings);
    await giveToServer(made);
    await syncAll(made);
    // An empty folder is replaced.
    await rename(made, target);
    await sync(dirname(target));
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
  const hasConfiguration = await exists(join(target, "postgresql.conf"));
  return { base, segments: path.segments.length, hasConfiguration };
}

async function refuseOccupied(target: string): Promise<void> {
  const files = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new BackupRefusedError(`${target} cannot be used: ${error.message}`);
  });
  if (files.length > 0) throw new BackupRefusedError(`The folder ${target} is not empty.`);
}

async function pathTo(
  context: Pick<BackupContext, "store" | "keys" | "now">,
  at: Date,
): Promise<{ base: BaseManifest; path: RecoveryPath }> {
  if (at > context.now()) throw new BackupRefusedError(`${at.toISOString()} is in the future.`);
  const { complete } = await listBackups(context.store, context.keys);
  const bases = complete.filter((manifest) => manifest.kind === "base");
  const [oldest] = bases;
  if (!oldest) {
    throw new BackupRefusedError(`${context.store.description} has no complete base backup.`);
  }
  if (new Date(oldest.createdAt) > at) {
    throw new BackupRefusedError(
      `The oldest base backup ends at ${oldest.createdAt}: choose a later moment.`,
    );
  }
  const found = await pathToMoment(context, bases, at);
  if (!found) {
    throw new BackupRefusedError(
      `No base backup from before ${at.toISOString()} leads to the timeline that was live then.`,
    );
  }
  const { missing } = found.path;
  if (missing.length > 0) {
    throw new BackupRefusedError(
      `${missing.length} WAL segments are missing, the first is ${missing[0]}: that moment cannot be restored.`,
    );
  }
  return found;
}

async function configure(
  folder: string,
  at: Date,
  timeline: string,
  further: Record<string, string>,
): Promise<void> {
  const settings = {
    restore_command: `cp "${walFolder}/%f" "%p"`,
    // This setting does not take the letter Z.
    recovery_target_time: at.toISOString().replace("Z", "+00"),
    recovery_target_action: "promote",
    recovery_target_timeline: timeline,
    // Until it is decided that this is the database, its WAL must not be mixed with that of the other one. It is kept, with
    // the history of the new timeline, and archived once there is a command again.
    archive_command: "",
    // Until `mark`: the backend must not serve a restored database before it is closed.
    default_transaction_read_only: "on",
    ...further,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(join(folder, "postgresql.auto.conf"), lines.join(""));
  await writeFile(join(folder, "recovery.signal"), "", { mode: 0o600 });
}

/** What a killed restore has left is not encrypted. */
async function removeUnfinished(
  parent: string,
  prefix: string,
  warn: (text: string) => void,
): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    await rm(join(parent, name), { recursive: true, force: true });
    warn(`Removed ${join(parent, name)}, which an interrupted restore had left.`);
  }
}

/** So that the folder is whole after a power failure, if it has its name. */
async function syncAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    if (entry.isFile() || entry.isDirectory()) await sync(join(entry.parentPath, entry.name));
  }
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The server refuses files of another owner. Only root can give them away. */
async function giveToServer(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(join(folder, "PG_VERSION"));
  const wal = await readdir(join(folder, walFolder));
  const made = [
    "",
    walFolder,
    "recovery.signal",
    "postgresql.auto.conf",
    ...wal.map((name) => join(walFolder, name)),
  ];
  for (const path of made) await chown(join(folder, path), uid, gid);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
