import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { BackupKeys } from "./backup-keys.js";
import { BackupError, BackupRefusedError } from "./failures.js";
import type { BaseManifest } from "./manifest.js";
import type { BackupStore } from "./store/backup-store.js";

/** Segments, partial segments, backup labels and timeline histories, as PostgreSQL names them. */
const walName = /^([0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history)$/;
export const isSegment = (name: string) => /^[0-9A-F]{24}$/.test(name);
const objectName = (name: string) => `wal/${name}.age`;

type Stores = { store: BackupStore; keys: BackupKeys };

/**
 * Moves the WAL files that `archive_command` has put into the spool folder to the store, oldest first. A file is deleted
 * only when the store has it, so a store that is down delays and loses nothing. Safe to run twice at once.
 */
export async function shipWal({ store, keys }: Stores, spool: string): Promise<number> {
  let shipped = 0;
  for (const name of await spooledWal(spool)) {
    try {
      await shipOne({ store, keys }, spool, name);
    } catch (error) {
      // Another run was first.
      if (existsSync(join(spool, name))) throw error;
    }
    shipped++;
  }
  return shipped;
}

async function shipOne({ store, keys }: Stores, spool: string, name: string): Promise<void> {
  const path = join(spool, name);
  const isStored = (await store.find(objectName(name))) !== undefined;
  if (!isStored) await store.put(objectName(name), keys.encrypt(packed(name, path)));
  // PostgreSQL archives a file again after a crash.
  else if (!(await isSame({ store, keys }, name, path))) {
    throw new BackupError(
      `The store has another WAL file ${name} than ${spool}: two servers write into one store.`,
    );
  }
  await rm(path, { force: true });
}

export async function spooledWal(spool: string): Promise<string[]> {
  try {
    return (await readdir(spool)).filter((name) => walName.test(name)).sort();
  } catch (error) {
    throw new BackupError(`The WAL folder ${spool} cannot be read: ${(error as Error).message}`);
  }
}

/** When the file that waits longest was written. */
export async function oldestSpooled(spool: string): Promise<Date | undefined> {
  const times = await Promise.all(
    (await spooledWal(spool)).map((name) => stat(join(spool, name)).catch(() => undefined)),
  );
  return times.flatMap((found) => found?.mtime ?? []).sort((a, b) => a.getTime() - b.getTime())[0];
}

/** The names of the files in the store. */
export async function storedWal(store: BackupStore): Promise<string[]> {
  const objects = await store.list("wal/");
  return objects
    .map(({ name }) => name.slice("wal/".length, -".age".length))
    .filter((name) => walName.test(name));
}

export async function removeWal(store: BackupStore, name: string): Promise<void> {
  await store.remove(objectName(name));
}

/** Throws `BackupRefusedError` for one that is altered, of another name or of another key. */
export async function fetchWal(stores: Stores, name: string, path: string): Promise<void> {
  await pipeline(Readable.from(unpacked(stores, name)), createWriteStream(path, { mode: 0o600 }));
}

const header = (name: string) => Buffer.from(`wal ${name}\n`);

/** The name is inside, so that files cannot be swapped. */
async function* packed(name: string, path: string): AsyncGenerator<Uint8Array> {
  yield header(name);
  const gzip = createGzip({ level: 1 });
  const source = createReadStream(path);
  source.on("error", (error) => gzip.destroy(error));
  yield* source.pipe(gzip);
}

async function* unpacked({ store, keys }: Stores, name: string): AsyncGenerator<Uint8Array> {
  const expected = header(name);
  const gunzip = createGunzip();
  const reading = pipeline(
    Readable.from(withoutHeader(keys.decrypt(store.get(objectName(name))), expected, name)),
    gunzip,
  );
  reading.catch(() => {});
  try {
    yield* gunzip;
  } catch (error) {
    await reading;
    throw error;
  }
  await reading;
}

async function* withoutHeader(
  source: AsyncIterable<Uint8Array>,
  expected: Buffer,
  name: string,
): AsyncGenerator<Uint8Array> {
  let start = Buffer.alloc(0);
  let isChecked = false;
  for await (const chunk of source) {
    if (isChecked) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.length < expected.length) continue;
    if (!start.subarray(0, expected.length).equals(expected)) break;
    isChecked = true;
    yield start.subarray(expected.length);
  }
  if (!isChecked) throw new BackupRefusedError(`${objectName(name)} is another WAL file.`);
}

async function isSame(stores: Stores, name: string, path: string): Promise<boolean> {
  const [stored, spooled] = await Promise.all([
    sha256(unpacked(stores, name)),
    sha256(createReadStream(path)),
  ]);
  return stored === spooled;
}

async function sha256(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of source) hash.update(chunk);
  return hash.digest("hex");
}

/** The number of a segment on any timeline. */
export function segmentNumber(name: string, segmentBytes: number): number {
  const perLog = 0x1_0000_0000 / segmentBytes;
  return Number.parseInt(name.slice(8, 16), 16) * perLog + Number.parseInt(name.slice(16, 24), 16);
}

/** Of a position such as 0/2000028. */
export function segmentOf(position: string, segmentBytes: number): number {
  const [high = "", low = ""] = position.split("/");
  const perLog = 0x1_0000_0000 / segmentBytes;
  return Number.parseInt(high, 16) * perLog + Math.floor(Number.parseInt(low, 16) / segmentBytes);
}

/** Without the timeline. */
export function segmentName(number: number, segmentBytes: number): string {
  const perLog = 0x1_0000_0000 / segmentBytes;
  const hex = (part: number) => part.toString(16).toUpperCase().padStart(8, "0");
  return hex(Math.floor(number / perLog)) + hex(number % perLog);
}

/** The segments that a recovery from `first` to `last` needs and the store does not have, without their timeline. */
export function missingSegments(
  stored: readonly string[],
  { first, last, segmentBytes }: { first: number; last: number; segmentBytes: number },
): string[] {
  const present = new Set(
    stored.filter(isSegment).map((name) => segmentNumber(name, segmentBytes)),
  );
  const missing: string[] = [];
  for (let number = first; number <= last; number++) {
    if (!present.has(number)) missing.push(segmentName(number, segmentBytes));
  }
  return missing;
}

/** Since when every moment can be restored: the oldest base backup after which no segment is missing. */
export function recoverableSince(
  bases: readonly BaseManifest[],
  stored: readonly string[],
): Date | undefined {
  const newest = bases.at(-1);
  const found = bases.find((base) => {
    const { segmentBytes, systemId } = base;
    if (systemId !== newest?.systemId) return false;
    const numbers = stored.filter(isSegment).map((name) => segmentNumber(name, segmentBytes));
    const first = segmentOf(base.startWal, segmentBytes);
    const last = numbers.reduce((a, b) => Math.max(a, b), segmentOf(newest.endWal, segmentBytes));
    return missingSegments(stored, { first, last, segmentBytes }).length === 0;
  });
  return found && new Date(found.createdAt);
}
