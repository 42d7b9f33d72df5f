const [segment, info, tracks, cluster] = [0x18538067, 0x1549a966, 0x1654ae6b, 0x1f43b675];
const [unit, length, track, kind] = [0x2ad7b1, 0x4489, 0xae, 0x83];
const [clusterTime, simpleBlock, group, groupedBlock] = [0xe7, 0xa3, 0xa0, 0xa1];
const nanosecondsPerSecond = 1e9;
const audio = 2;

interface Times {
  /** The timestamp of the current cluster. */
  cluster: number;
  first: number;
  last: number;
}

/** The length of a WebM file in seconds, by its header or its blocks, whichever is longer; null if unknown. Throws without an audio track. */
export function webmSeconds(bytes: Uint8Array): number | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let units = 0;
  let nanosecondsPerUnit = 1_000_000;
  let hasAudio = false;
  const times: Times = { cluster: 0, first: Number.POSITIVE_INFINITY, last: 0 };
  for (const element of within(file, segment)) {
    const [id, from, to] = element;
    if (id === info) {
      for (const [field, start, end] of elements(file, from, to)) {
        if (field === unit) nanosecondsPerUnit = uintOf(file, start, end);
        if (field === length) units = floatOf(file, start, end);
      }
    } else if (id === tracks) {
      for (const [field, start, end] of within(file, track, from, to)) {
        if (field === kind) hasAudio ||= uintOf(file, start, end) === audio;
      }
    } else readTimes(file, element, times);
  }
  if (!hasAudio) throw new Error("There is no audio in it.");
  // The last block's own duration is a few hundredths of a second.
  const inBlocks = Math.max(0, times.last - times.first);
  return (Math.max(units, inBlocks) * nanosecondsPerUnit) / nanosecondsPerSecond || null;
}

function readTimes(file: Buffer, [id, from, to]: Element, times: Times): void {
  if (id === clusterTime) times.cluster = uintOf(file, from, to);
  else if (id === simpleBlock) {
    const at = times.cluster + sinceCluster(file, from, to);
    if (at < times.first) times.first = at;
    if (at > times.last) times.last = at;
  } else if (id === group) {
    for (const [field, start, end] of elements(file, from, to)) {
      if (field === groupedBlock) readTimes(file, [simpleBlock, start, end], times);
    }
  }
}

/** A block starts with its track number and its offset from the cluster's timestamp. */
function sinceCluster(file: Buffer, from: number, to: number): number {
  const trackBytes = to > from ? Math.clz32(file.readUInt8(from)) - 23 : 9;
  const at = from + trackBytes;
  return trackBytes <= 8 && at + 2 <= to ? file.readInt16BE(at) : Number.NaN;
}

type Element = [id: number, from: number, to: number];

function* within(file: Buffer, parent: number, from = 0, to = file.length): Generator<Element> {
  for (const [id, start, end] of elements(file, from, to)) {
    if (id === parent) yield* elements(file, start, end);
  }
}

/** An element of unknown length ends with its parent; clusters are read flat, because the next one ends them. */
function* elements(file: Buffer, from: number, to: number): Generator<Element> {
  let at = from;
  while (at < to) {
    const idBytes = Math.clz32(file.readUInt8(at)) - 23;
    const sizeAt = at + idBytes;
    if (idBytes > 4 || sizeAt >= to) return;
    const first = file.readUInt8(sizeAt);
    const sizeBytes = Math.clz32(first) - 23;
    const start = sizeAt + sizeBytes;
    if (sizeBytes > 8 || start > to) return;
    let size = first & (0xff >> sizeBytes);
    let isUnknown = size === 0xff >> sizeBytes;
    for (let next = sizeAt + 1; next < start; next += 1) {
      const byte = file.readUInt8(next);
      size = size * 256 + byte;
      isUnknown &&= byte === 0xff;
    }
    const end = isUnknown ? to : Math.min(start + size, to);
    const id = file.readUIntBE(at, idBytes);
    yield [id, start, end];
    at = id === cluster ? start : end;
  }
}

const uintOf = (file: Buffer, from: number, to: number) =>
  to > from ? file.readUIntBE(from, Math.min(to - from, 6)) : 0;

function floatOf(file: Buffer, from: number, to: number): number {
  if (to - from === 4) return file.readFloatBE(from);
  return to - from === 8 ? file.readDoubleBE(from) : 0;
}
