const [segment, info, tracks, cluster] = [0x18538067, 0x1549a966, 0x1654ae6b, 0x1f43b675];
const [unit, length, track, number, kind, codec] = [0x2ad7b1, 0x4489, 0xae, 0xd7, 0x83, 0x86];
const [clusterTime, simpleBlock, group, groupedBlock] = [0xe7, 0xa3, 0xa0, 0xa1];
const nanosecondsPerSecond = 1e9;
const audio = 2;
/** A block's offset has 16 bits, so a smaller unit would need a cluster for each block. */
const nanosecondsPerUnitMin = 1_000;
/** A minute has at most 24,000 packets: Opus with 2.5 ms each. */
const elementsMax = 40_000;

interface Reading {
  file: Buffer;
  elementsLeft: number;
  /** The timestamp of the current cluster. */
  cluster: number;
  first: number;
  last: number;
  opusTracks: Set<number>;
  /** Of all Opus packets, by their own headers: timestamps can be wrong. */
  opusSeconds: number;
}

/** The length of a WebM file in seconds: the longest of its header, blocks and Opus packets; null if unknown. Throws for an invalid file or without audio. */
export function webmSeconds(bytes: Uint8Array): number | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reading: Reading = {
    file,
    elementsLeft: elementsMax,
    cluster: 0,
    first: Number.POSITIVE_INFINITY,
    last: 0,
    opusTracks: new Set(),
    opusSeconds: 0,
  };
  let units = 0;
  let nanosecondsPerUnit = 1_000_000;
  let hasAudio = false;
  for (const element of within(reading, segment)) {
    const [id, from, to] = element;
    if (id === info) {
      for (const [field, start, end] of elements(reading, from, to)) {
        if (field === unit) nanosecondsPerUnit = uintOf(file, start, end);
        if (field === length) units = floatOf(file, start, end);
      }
    } else if (id === tracks) {
      for (const [field, start, end] of elements(reading, from, to)) {
        if (field === track) hasAudio = readTrack(reading, start, end) || hasAudio;
      }
    } else readTimes(reading, element);
  }
  if (reading.elementsLeft <= 0) return Number.POSITIVE_INFINITY;
  if (!hasAudio) throw new Error("There is no audio in it.");
  if (nanosecondsPerUnit < nanosecondsPerUnitMin || !Number.isFinite(units) || units < 0)
    throw new Error("Its header has an invalid length.");
  // The last block's own duration is a few hundredths of a second.
  const inBlocks = Math.max(0, reading.last - reading.first);
  const claimed = (Math.max(units, inBlocks) * nanosecondsPerUnit) / nanosecondsPerSecond;
  return Math.max(claimed, reading.opusSeconds) || null;
}

function readTrack(reading: Reading, from: number, to: number): boolean {
  const { file, opusTracks } = reading;
  let id = 0;
  let isAudio = false;
  let isOpus = false;
  for (const [field, start, end] of elements(reading, from, to)) {
    if (field === number) id = uintOf(file, start, end);
    if (field === kind) isAudio = uintOf(file, start, end) === audio;
    if (field === codec) isOpus = file.toString("latin1", start, end) === "A_OPUS";
  }
  if (isAudio && isOpus) opusTracks.add(id);
  return isAudio;
}

function readTimes(reading: Reading, [id, from, to]: Element): void {
  const { file } = reading;
  if (id === clusterTime) reading.cluster = uintOf(file, from, to);
  else if (id === simpleBlock) readBlock(reading, from, to);
  else if (id === group) {
    for (const [field, start, end] of elements(reading, from, to)) {
      if (field === groupedBlock) readBlock(reading, start, end);
    }
  }
}

/** A block starts with its track number, its offset from the cluster's timestamp, and flags. */
function readBlock(reading: Reading, from: number, to: number): void {
  const { file } = reading;
  const trackBytes = to > from ? Math.clz32(file.readUInt8(from)) - 23 : 9;
  const at = from + trackBytes;
  if (trackBytes > 4 || at + 3 > to) return;
  const time = reading.cluster + file.readInt16BE(at);
  if (time < reading.first) reading.first = time;
  if (time > reading.last) reading.last = time;
  if (!reading.opusTracks.has(file.readUIntBE(from, trackBytes) - 2 ** (7 * trackBytes))) return;
  if (file.readUInt8(at + 2) & lacingFlags) throw new Error("It has several packets in a block.");
  reading.opusSeconds += opusSeconds(file.subarray(at + 3, to));
}

/** Recorders do not use lacing. */
const lacingFlags = 0x06;
const opusFrameMs = [10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 10, 20];

/** RFC 6716, 3.1. */
function opusSeconds([toc, count = 0]: Uint8Array): number {
  if (toc === undefined) return 0;
  const frameMs = opusFrameMs[toc >> 3] ?? 2.5 * 2 ** ((toc >> 3) & 3);
  const frames = [1, 2, 2][toc & 3] ?? count & 63;
  return (frames * frameMs) / 1000;
}

type Element = [id: number, from: number, to: number];

function* within(reading: Reading, parent: number): Generator<Element> {
  for (const [id, start, end] of elements(reading, 0, reading.file.length)) {
    if (id === parent) yield* elements(reading, start, end);
  }
}

/** An element of unknown length ends with its parent; clusters are read flat, because the next one ends them. */
function* elements(reading: Reading, from: number, to: number): Generator<Element> {
  const { file } = reading;
  let at = from;
  while (at < to && reading.elementsLeft > 0) {
    reading.elementsLeft -= 1;
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
