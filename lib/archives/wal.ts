import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { BackupKeys } from "./backup-keys.js";
import { collect } from "./digest.js";
import { BackupError, BackupRefusedError, ObjectMissingError } from "./failures.js";
import type { ArchiveStore } from "./store/archive-store.js";

/** Segments, partial segments and timeline histories, as PostgreSQL names them. */
const walName = /^([0-9A-F]{24}(\.partial)?|[0-9A-F]{8}\.history)$/;
/** What it says is in the manifest of the base backup. */
const labelName = /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/;
export const isSegment = (name: string) => /^[0-9A-F]{24}$/.test(name);
/** Every server has WAL files of the same names, so they are apart by its system identifier. */
const objectName = (systemId: string, name: string) => `wal/${systemId}/${name}.age`;

type Stores = { store: ArchiveStore; keys: BackupKeys };

/**
 * Moves the WAL files that `archive_command` has put into the spool folder to the store, oldest first. A file is deleted
 * only when the store has it, so a store that is down delays and loses nothing. Safe to run twice at once.
 */
export async function shipWal({ store, keys }: Stores, spool: string): Promise<number> {
  let shipped = 0;
  const names = await spooledWal(spool);
  for (const name of names) {
    try {
      const systemId = await systemIdOf(spool, name, names);
      // The history of a timeline that has no segment yet.
      if (systemId === undefined) continue;
      await shipOne({ store, keys }, spool, systemId, name);
      shipped++;
    } catch (error) {
      // Another run was first.
      if (existsSync(join(spool, name))) throw error;
    }
  }
  for (const name of await readdir(spool)) {
    if (labelName.test(name)) await rm(join(spool, name), { force: true });
  }
  return shipped;
}

/** A history does not tell, so it goes with the segments of its timeline. */
async function systemIdOf(
  spool: string,
  name: string,
  names: readonly string[],
): Promise<string | undefined> {
  const segment = name.endsWith(".history")
    ? names.find((other) => isSegment(other) && other.startsWith(name.slice(0, 8)))
    : name;
  return segment && (await systemIdIn(join(spool, segment)));
}

/** From the header of the first page: XLogLongPageHeaderData, of which `xlp_sysid` is at 24. */
async function systemIdIn(path: string): Promise<string> {
  const file = await open(path);
  try {
    const header = Buffer.alloc(40);
    const { bytesRead } = await file.read(header);
    const isLong = (header.readUInt16LE(2) & 2) !== 0;
    if (bytesRead < header.length || !isLong) {
      throw new BackupError(`${path} is not a WAL segment of PostgreSQL.`);
    }
    return header.readBigUInt64LE(24).toString();
  } finally {
    await file.close();
  }
}

async function shipOne(
  { store, keys }: Stores,
  spool: string,
  systemId: string,
  name: string,
): Promise<void> {
  const path = join(spool, name);
  const object = objectName(systemId, name);
  const isStored = (await store.find(object)) !== undefined;
  if (!isStored) await store.put(object, keys.encrypt(packed(object, createReadStream(path))));
  // PostgreSQL archives a file again after a crash.
  else if (!(await isSame({ store, keys }, object, path))) {
    throw new BackupError(
      `The store has another WAL file ${name} than ${spool}: two servers write into one store.`,
    );
  }
  await rm(path, { force: true });
}

async function spooledWal(spool: string): Promise<string[]> {
  try {
    return (await readdir(spool)).filter((name) => walName.test(name)).sort();
  } catch (error) {
    throw new BackupError(`The WAL folder ${spool} cannot be read: ${(error as Error).message}`);
  }
}

/** When the segment that waits longest was written. */
export async function oldestSpooled(spool: string): Promise<Date | undefined> {
  const segments = (await spooledWal(spool)).filter((name) => !name.endsWith(".history"));
  const times = await Promise.all(
    segments.map((name) => stat(join(spool, name)).catch(() => undefined)),
  );
  return times.flatMap((found) => found?.mtime ?? []).sort((a, b) => a.getTime() - b.getTime())[0];
}

/** The names of the files of one server in the store. */
export async function storedWal(store: ArchiveStore, systemId: string): Promise<string[]> {
  return [...(await storedWalTimes(store, systemId)).keys()];
}

/** When each of them was stored, by the clock of the store. */
export async function storedWalTimes(
  store: ArchiveStore,
  systemId: string,
): Promise<Map<string, Date>> {
  const folder = `wal/${systemId}/`;
  const objects = await store.list(folder);
  return new Map(
    objects
      .map(
        ({ name, modifiedAt }) => [name.slice(folder.length, -".age".length), modifiedAt] as const,
      )
      .filter(([name]) => walName.test(name)),
  );
}

export async function removeWal(
  store: ArchiveStore,
  systemId: string,
  name: string,
): Promise<void> {
  await store.remove(objectName(systemId, name));
}

/** Throws `BackupRefusedError` for one that is altered, of another name, server or key. */
export async function fetchWal(
  stores: Stores,
  systemId: string,
  name: string,
  path: string,
): Promise<void> {
  const source = unpacked(stores, objectName(systemId, name));
  await pipeline(Readable.from(source), createWriteStream(path, { mode: 0o600 }));
}

/** The timelines before the one of the file, each with the position where it ended; undefined without the file. */
export async function readHistory(
  stores: Stores,
  systemId: string,
  name: string,
): Promise<{ timeline: number; end: string }[] | undefined> {
  try {
    const text = (await collect(unpacked(stores, objectName(systemId, name)))).toString("utf8");
    return [...text.matchAll(/^(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/gm)].map(
      ([, timeline = "", end = ""]) => ({ timeline: Number(timeline), end }),
    );
  } catch (error) {
    if (error instanceof ObjectMissingError) return undefined;
    throw error;
  }
}

const header = (object: string) => Buffer.from(`${object}\n`);

/** The name is inside, so that files cannot be swapped. */
async function* packed(object: string, source: Readable): AsyncGenerator<Uint8Array> {
  yield header(object);
  const gzip = createGzip({ level: 1 });
  source.on("error", (error) => gzip.destroy(error));
  yield* source.pipe(gzip);
}

async function* unpacked({ store, keys }: Stores, object: string): AsyncGenerator<Uint8Array> {
  const expected = header(object);
  const gunzip = createGunzip();
  const reading = pipeline(
    Readable.from(withoutHeader(keys.decrypt(store.get(object)), expected, object)),
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
  object: string,
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
  if (!isChecked) throw new BackupRefusedError(`${object} is another WAL file.`);
}

async function isSame(stores: Stores, object: string, path: string): Promise<boolean> {
  const [stored, spooled] = await Promise.all([
    sha256(unpacked(stores, object)),
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

export function segmentName(number: number, segmentBytes: number, timeline: number): string {
  const perLog = 0x1_0000_0000 / segmentBytes;
  return hex(timeline) + hex(Math.floor(number / perLog)) + hex(number % perLog);
}

export const historyName = (timeline: number) => `${hex(timeline)}.history`;

export const timelineOf = (name: string) => Number.parseInt(name.slice(0, 8), 16);

const hex = (part: number) => part.toString(16).toUpperCase().padStart(8, "0");
