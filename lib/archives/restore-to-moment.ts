import { randomBytes } from "node:crypto";
import {
  appendFile,
  chmod,
  chown,
  mkdir,
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
import {
  fetchWal,
  isSegment,
  missingSegments,
  segmentNumber,
  segmentOf,
  storedWal,
} from "./wal.js";

/** In the data directory: `restore_command` reads the WAL here, so the server needs neither the store nor the key. */
const walFolder = "restore_wal";

/**
 * Makes a data directory that a PostgreSQL of the same major version recovers to the moment `at` when it starts. Throws
 * `BackupRefusedError` before any write if the folder has files, there is no base backup before `at`, or a file that the
 * recovery needs is missing or not intact. After a kill the folder does not exist.
 */
export async function restoreToMoment(
  context: Omit<BackupContext, "databaseUrl">,
  { at, into, onVerified }: { at: Date; into: string; onVerified?: () => void },
): Promise<{ base: BaseManifest; segments: number; hasConfiguration: boolean }> {
  const target = resolve(into);
  await refuseOccupied(target);
  const { base, until } = await baseFor(context, at);
  const wal = await walFor(context, base, until);
  await verifyArchive(context, base);
  onVerified?.();
  const made = join(
    dirname(target),
    `.${basename(target)}.unfinished-${randomBytes(4).toString("hex")}`,
  );
  try {
    await mkdir(made, { mode: 0o700 });
    const run = {
      tool: "tar",
      args: ["-x", "-C", made],
      environment: context.environment,
    } as const;
    await feed(run, readArchive(context, base));
    await mkdir(join(made, walFolder), { mode: 0o700 });
    for (const name of wal) await fetchWal(context, name, join(made, walFolder, name));
    await configure(made, at, until);
    await giveToServer(made);
    // An empty folder is replaced.
    await rename(made, target);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
  const hasConfiguration = await exists(join(target, "postgresql.conf"));
  return { base, segments: wal.filter(isSegment).length, hasConfiguration };
}

async function refuseOccupied(target: string): Promise<void> {
  const files = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new BackupRefusedError(`${target} cannot be used: ${error.message}`);
  });
  if (files.length > 0) throw new BackupRefusedError(`The folder ${target} is not empty.`);
}

/** The newest base backup before `at`, and a later one by whose end the WAL surely has a commit after `at`. */
async function baseFor(
  { store, keys, now }: Pick<BackupContext, "store" | "keys" | "now">,
  at: Date,
): Promise<{ base: BaseManifest; until: BaseManifest | undefined }> {
  if (at > now()) throw new BackupRefusedError(`${at.toISOString()} is in the future.`);
  const { complete } = await listBackups(store, keys);
  const bases = complete.filter((manifest) => manifest.kind === "base");
  const index = bases.findLastIndex(({ createdAt }) => new Date(createdAt) <= at);
  const base = bases[index];
  if (!base) {
    const [oldest] = bases;
    throw new BackupRefusedError(
      oldest
        ? `The oldest base backup ends at ${oldest.createdAt}: choose a later moment.`
        : `${store.description} has no complete base backup.`,
    );
  }
  const sameServer = bases.slice(index + 1).filter(({ systemId }) => systemId === base.systemId);
  return { base, until: sameServer[1] };
}

async function walFor(
  { store }: Pick<BackupContext, "store">,
  base: BaseManifest,
  until: BaseManifest | undefined,
): Promise<string[]> {
  const { segmentBytes } = base;
  const stored = await storedWal(store);
  const first = segmentOf(base.startWal, segmentBytes);
  const numbers = stored.filter(isSegment).map((name) => segmentNumber(name, segmentBytes));
  const last = until
    ? segmentOf(until.endWal, segmentBytes)
    : numbers.reduce((a, b) => Math.max(a, b), segmentOf(base.endWal, segmentBytes));
  const missing = missingSegments(stored, { first, last, segmentBytes });
  if (missing.length > 0) {
    throw new BackupRefusedError(
      `${missing.length} WAL segments are missing, the first is ${missing[0]}: that moment cannot be restored.`,
    );
  }
  return stored.filter((name) => {
    if (name.endsWith(".history")) return true;
    const number = segmentNumber(name, segmentBytes);
    return number >= first && number <= last;
  });
}

async function configure(folder: string, at: Date, until: BaseManifest | undefined): Promise<void> {
  const settings = {
    restore_command: `cp "${walFolder}/%f" "%p"`,
    // This setting does not take the letter Z.
    recovery_target_time: at.toISOString().replace("Z", "+00"),
    recovery_target_action: "promote",
    recovery_target_timeline: until ? String(until.timeline) : "latest",
    // Until it is decided that this is the database, its WAL must not be mixed with that of the other one.
    archive_mode: "off",
    // Until `mark`: the backend must not serve a restored database before it is closed.
    default_transaction_read_only: "on",
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(join(folder, "postgresql.auto.conf"), lines.join(""));
  await writeFile(join(folder, "recovery.signal"), "", { mode: 0o600 });
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
