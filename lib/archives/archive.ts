import { randomBytes } from "node:crypto";
import type { BackupKeys } from "./backup-keys.js";
import { digest } from "./digest.js";
import { BackupError, BackupRefusedError } from "./failures.js";
import { archiveName, type BackupKind, type Manifest, writeManifest } from "./manifest.js";
import type { ToolEnvironment } from "./postgres-tools.js";
import type { ArchiveStore } from "./store/archive-store.js";

/** What every command of backups needs. */
export interface BackupContext {
  store: ArchiveStore;
  keys: BackupKeys;
  databaseUrl: string;
  environment: ToolEnvironment;
  release: string;
  /** Of this machine. */
  now: () => Date;
  /** Encrypted bytes so far. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Something to know that is not a failure. */
  warn: (text: string) => void;
}

/** Sortable by time, and unique when two are taken at once. */
export function newBackupId(createdAt: Date): string {
  const time = createdAt.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${randomBytes(4).toString("hex")}`;
}

/** Encrypts into the store: nothing is written to the disk unencrypted, and memory is bounded. */
export async function writeArchive(
  { store, keys, onBytes }: BackupContext,
  kind: BackupKind,
  id: string,
  plain: AsyncIterable<Uint8Array>,
): Promise<Pick<Manifest, "bytes" | "sha256" | "plainSha256" | "keyId">> {
  const before = digest();
  const after = digest();
  const encrypted = after.of(keys.encrypt(before.of(plain)));
  await store.put(archiveName({ kind, id }), reported(encrypted, onBytes));
  return {
    bytes: after.bytes,
    sha256: after.sha256(),
    plainSha256: before.sha256(),
    keyId: keys.id,
  };
}

/**
 * Decrypts from the store. Throws `BackupRefusedError` for an archive that is altered, truncated, of another backup or
 * another key: possibly after the last byte, so what was made of it must not be used before the end.
 */
export async function* readArchive(
  { store, keys, onBytes }: Pick<BackupContext, "store" | "keys" | "onBytes">,
  manifest: Manifest,
): AsyncGenerator<Uint8Array> {
  const before = digest();
  const after = digest();
  const encrypted = before.of(reported(store.get(archiveName(manifest)), onBytes));
  yield* after.of(keys.decrypt(encrypted));
  const isSame =
    before.bytes === manifest.bytes &&
    before.sha256() === manifest.sha256 &&
    after.sha256() === manifest.plainSha256;
  if (!isSame)
    throw new BackupRefusedError(`${archiveName(manifest)} is not that of its manifest.`);
}

/**
 * Reads the new archive back from the store to its end, and lists it only then, so that every listed backup was once
 * restorable. Removes one that is not as it was written, and throws `BackupError`.
 */
export async function listVerified<Any extends Manifest>(
  context: BackupContext,
  manifest: Any,
): Promise<Any> {
  try {
    await verifyArchive(context, manifest);
  } catch (error) {
    // What cannot be removed now is removed later, as an archive without a manifest.
    await context.store.remove(archiveName(manifest)).catch(() => {});
    throw new BackupError(
      `The new backup ${manifest.id} cannot be read back: ${(error as Error).message}`,
      { cause: error },
    );
  }
  await writeManifest(context.store, context.keys, manifest);
  return manifest;
}

/** Reads the whole archive. Throws as `readArchive`. */
export async function verifyArchive(
  context: Pick<BackupContext, "store" | "keys" | "onBytes">,
  manifest: Manifest,
): Promise<void> {
  for await (const _ of readArchive(context, manifest));
}

async function* reported(
  source: AsyncIterable<Uint8Array>,
  onBytes: BackupContext["onBytes"],
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    onBytes?.(bytes);
    yield chunk;
  }
}
