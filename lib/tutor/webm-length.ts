const [segment, info, tracks] = [0x18538067, 0x1549a966, 0x1654ae6b];
const [unit, length, track, kind] = [0x2ad7b1, 0x4489, 0xae, 0x83];
const nanosecondsPerSecond = 1e9;
const audio = 2;

/**
 * How many seconds a WebM file lasts; null where it does not say, as in what a browser records on the
 * fly. Throws where there is no audio in it.
 */
export function webmSeconds(bytes: Uint8Array): number | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let units = 0;
  let nanosecondsPerUnit = 1_000_000;
  let hasAudio = false;
  for (const [id, from, to] of within(file, segment)) {
    if (id === info) {
      for (const [field, start, end] of elements(file, from, to)) {
        if (field === unit) nanosecondsPerUnit = uintOf(file, start, end);
        if (field === length) units = floatOf(file, start, end);
      }
    }
    if (id !== tracks) continue;
    for (const [field, start, end] of within(file, track, from, to)) {
      if (field === kind) hasAudio ||= uintOf(file, start, end) === audio;
    }
  }
  if (!hasAudio) throw new Error("There is no audio in it.");
  return (units * nanosecondsPerUnit) / nanosecondsPerSecond || null;
}

type Element = [id: number, from: number, to: number];

/** The elements in those of one ID. */
function* within(file: Buffer, parent: number, from = 0, to = file.length): Generator<Element> {
  for (const [id, start, end] of elements(file, from, to)) {
    if (id === parent) yield* elements(file, start, end);
  }
}

/** One of unknown length, or cut off, goes on to the end of what it lies in. */
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
    yield [file.readUIntBE(at, idBytes), start, end];
    at = end;
  }
}

const uintOf = (file: Buffer, from: number, to: number) =>
  to > from ? file.readUIntBE(from, Math.min(to - from, 6)) : 0;

function floatOf(file: Buffer, from: number, to: number): number {
  if (to - from === 4) return file.readFloatBE(from);
  return to - from === 8 ? file.readDoubleBE(from) : 0;
}
