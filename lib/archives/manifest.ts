import * as z from "zod";
import type { BackupKeys } from "./backup-keys.js";
import { collect, once } from "./digest.js";
import { BackupRefusedError } from "./failures.js";
import { parsedJson } from "./parsed-json.js";
import type { ArchiveStore } from "./store/archive-store.js";

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const position = z.string().regex(/^[0-9A-F]+\/[0-9A-F]+$/);

const common = {
  format: z.literal(1),
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  /** By the clock of the database: the moment that the backup holds. */
  createdAt: z.iso.datetime(),
  /** Of the program that took it. */
  release: z.string(),
  /** Such as 15.20. */
  postgres: z.string(),
  database: z.string(),
  keyId: z.string(),
  /** Of the encrypted archive. */
  bytes: count,
  sha256,
  /** Of what was encrypted. */
  plainSha256: sha256,
};

const Dump = z.strictObject({
  ...common,
  kind: z.literal("dump"),
  /** The newest applied migration; null without any. */
  migrationHead: z.string().nullable(),
  /** By table, in the snapshot of the dump. */
  rows: z.record(z.string(), count),
});

const BaseBackup = z.strictObject({
  ...common,
  kind: z.literal("base"),
  systemId: z.string(),
  timeline: z.number().int().positive(),
  startWal: position,
  /** In the last segment that it needs. */
  endWal: position,
  segmentBytes: z.number().int().positive(),
});

const Manifest = z.discriminatedUnion("kind", [Dump, BaseBackup]);
export type DumpManifest = z.infer<typeof Dump>;
export type BaseManifest = z.infer<typeof BaseBackup>;
export type Manifest = z.infer<typeof Manifest>;
export type BackupKind = Manifest["kind"];
export const backupKinds = ["dump", "base"] as const satisfies readonly BackupKind[];

/** The signed text is that of the object as it was parsed, so this schema must not build another one. */
const Sealed = z.strictObject({
  manifest: z.custom<{ keyId: string }>(
    (value) => typeof (value as { keyId?: unknown } | null)?.keyId === "string",
  ),
  mac: z.string(),
});

export const archiveName = ({ kind, id }: Pick<Manifest, "kind" | "id">) => `${kind}/${id}.age`;
const manifestName = ({ kind, id }: Pick<Manifest, "kind" | "id">) => `${kind}/${id}.json`;

/** The archive is listed from now on, so it must be in the store. */
export async function writeManifest(
  store: ArchiveStore,
  keys: BackupKeys,
  manifest: Manifest,
): Promise<void> {
  const text = JSON.stringify(Manifest.parse(manifest));
  const sealed = { manifest: JSON.parse(text), mac: keys.sign(text) };
  await store.put(manifestName(manifest), once(`${JSON.stringify(sealed, null, 2)}\n`));
}

/** Throws `BackupRefusedError` when it was changed, belongs to another archive or to another key. */
export async function readManifest(
  store: ArchiveStore,
  keys: BackupKeys,
  kind: BackupKind,
  id: string,
): Promise<Manifest> {
  const name = manifestName({ kind, id });
  const refuse = (reason: string) => new BackupRefusedError(`${name} ${reason}.`);
  const text = (await collect(store.get(name))).toString("utf8");
  const sealed = Sealed.safeParse(parsedJson(text));
  if (!sealed.success) throw refuse("is not a manifest of a backup");
  const { manifest, mac } = sealed.data;
  if (!keys.knows(manifest.keyId)) {
    throw refuse(
      `needs the key ${manifest.keyId}, which is neither BACKUP_KEY nor in BACKUP_KEY_PREVIOUS`,
    );
  }
  if (!keys.verify(JSON.stringify(manifest), mac, manifest.keyId)) throw refuse("was changed");
  const known = Manifest.safeParse(manifest);
  if (!known.success) throw refuse("has a format of another release");
  if (known.data.kind !== kind || known.data.id !== id) throw refuse("belongs to another backup");
  return known.data;
}

export async function removeBackup(store: ArchiveStore, manifest: Manifest): Promise<void> {
  // In this order, so that nothing incomplete is listed.
  await store.remove(manifestName(manifest));
  await store.remove(archiveName(manifest));
}

export interface BackupList {
  /** Oldest first; each archive is in the store with its size. */
  complete: Manifest[];
  /** A manifest that is refused, or whose archive is missing or has another size. */
  broken: { name: string; reason: string }[];
  /** Archives without a manifest: interrupted, or being written. */
  incomplete: { name: string; modifiedAt: Date }[];
  /** By the clock of the store, by ID. */
  storedAt: Map<string, Date>;
}

/** Does not read the archives. */
export async function listBackups(store: ArchiveStore, keys: BackupKeys): Promise<BackupList> {
  const list: BackupList = { complete: [], broken: [], incomplete: [], storedAt: new Map() };
  for (const kind of backupKinds) {
    const objects = await store.list(`${kind}/`);
    const archives = new Map(
      objects.filter(({ name }) => name.endsWith(".age")).map((object) => [object.name, object]),
    );
    for (const { name, modifiedAt } of objects.filter((object) => object.name.endsWith(".json"))) {
      const id = name.slice(kind.length + 1, -".json".length);
      const archive = archives.get(archiveName({ kind, id }));
      archives.delete(archiveName({ kind, id }));
      try {
        const manifest = await readManifest(store, keys, kind, id);
        if (archive?.bytes !== manifest.bytes) {
          throw new BackupRefusedError(
            archive
              ? `${archive.name} has ${archive.bytes} bytes instead of ${manifest.bytes}.`
              : `${archiveName(manifest)} is missing.`,
          );
        }
        list.complete.push(manifest);
        list.storedAt.set(id, modifiedAt);
      } catch (error) {
        if (!(error instanceof BackupRefusedError)) throw error;
        list.broken.push({ name, reason: error.message });
      }
    }
    list.incomplete.push(...archives.values());
  }
  list.complete.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  return list;
}

/** Clocks may differ by this. */
export const clockDifferenceMsMax = 5 * 60_000;

/** Says that it was taken later than now, so its clock was wrong and its age is unknown. */
export function isFromFuture({ createdAt }: Manifest, now: Date): boolean {
  return Date.parse(createdAt) > now.getTime() + clockDifferenceMsMax;
}

/** When it was begun, by the clock of the database; rounded down to a second. */
export function startOf({ id }: Pick<Manifest, "id">): Date {
  return new Date(id.replace(/^(....)(..)(..T..)(..)(..Z).*/, "$1-$2-$3:$4:$5"));
}

/**
 * One dump; without an ID the newest, except those that say they are of the future. Throws `BackupRefusedError` without it,
 * and when a newer one is broken: an older one is only used if it is named.
 */
export async function findDump(
  {
    store,
    keys,
    now,
    warn,
  }: { store: ArchiveStore; keys: BackupKeys; now: () => Date; warn: (text: string) => void },
  id: string | undefined,
): Promise<DumpManifest> {
  if (id !== undefined) return (await readManifest(store, keys, "dump", id)) as DumpManifest;
  const { complete, broken, incomplete } = await listBackups(store, keys);
  const dumps = complete.filter((manifest) => manifest.kind === "dump");
  const future = dumps.filter((manifest) => isFromFuture(manifest, now()));
  const newest = dumps.findLast((manifest) => !future.includes(manifest));
  const reasons = future.map(
    (manifest) => `dump/${manifest.id} is of ${manifest.createdAt}, in the future.`,
  );
  if (!newest) {
    reasons.push(...broken.map(({ reason }) => reason));
    if (future.length > 0) reasons.push("Is this clock right? One of them can be named by its ID.");
    throw new BackupRefusedError(
      [`${store.description} has no complete dump.`, ...reasons].join(" "),
    );
  }
  const isNewer = ({ name }: { name: string }) =>
    name.startsWith("dump/") && name > archiveName(newest);
  const [broke] = broken.filter(isNewer).toSorted((a, b) => (a.name < b.name ? 1 : -1));
  if (broke) {
    throw new BackupRefusedError(
      `A newer dump is broken: ${broke.reason} To use an older dump, name its ID: ${newest.id} is the newest.`,
    );
  }
  reasons.push(...incomplete.filter(isNewer).map(({ name }) => `${name} has no manifest.`));
  for (const reason of reasons) warn(`Not used: ${reason}`);
  return newest;
}
