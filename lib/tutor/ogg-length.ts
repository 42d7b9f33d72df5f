interface Sound {
  samplesPerSecond: number;
  /** Samples that the decoder leaves out at the beginning. */
  skipped: number;
  /** Where the last page ends. */
  samples: number;
}

/**
 * How many seconds the sound of an Ogg file lasts: that of all its streams, which follow each other.
 * Throws where there is none in it.
 */
export function oggSeconds(bytes: Uint8Array): number {
  const sounds: Sound[] = [];
  const current = new Map<number, Sound>();
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { serial, isFirst, end, body } of pages(file)) {
    const begun = isFirst ? soundOf(body) : null;
    if (begun) {
      sounds.push(begun);
      current.set(serial, begun);
    }
    const sound = current.get(serial);
    if (sound && end > sound.samples) sound.samples = end;
  }
  if (sounds.length === 0) throw new Error("There is no audio in it.");
  let seconds = 0;
  for (const { samples, skipped, samplesPerSecond } of sounds) {
    seconds += Math.max(0, samples - skipped) / samplesPerSecond;
  }
  return seconds;
}

/** What the first packet of a stream says of its sound; null where it is something else. */
function soundOf(head: Buffer): Sound | null {
  const begins = (text: string) => head.toString("latin1", 0, text.length) === text;
  const of = (samplesPerSecond: number, skipped = 0) =>
    samplesPerSecond > 0 ? { samplesPerSecond, skipped, samples: 0 } : null;
  // Opus counts at 48 kHz, whatever was recorded.
  if (begins("OpusHead")) return of(48_000, head.readUInt16LE(10));
  if (begins("\x01vorbis")) return of(head.readUInt32LE(12));
  if (begins("Speex   ")) return of(head.readUInt32LE(36));
  if (begins("\x7fFLAC")) return of(head.readUIntBE(27, 3) >> 4);
  return null;
}

/** The pages up to one that is cut off or none. */
function* pages(file: Buffer) {
  let at = 0;
  while (at + 27 <= file.length && file.toString("latin1", at, at + 4) === "OggS") {
    const segments = file.readUInt8(at + 26);
    const from = at + 27 + segments;
    let to = from;
    for (const size of file.subarray(at + 27, from)) to += size;
    if (to > file.length) return;
    const isFirst = (file.readUInt8(at + 5) & 2) !== 0;
    // A page on which no packet ends says -1.
    const end = Number(file.readBigInt64LE(at + 6));
    yield { serial: file.readUInt32LE(at + 14), isFirst, end, body: file.subarray(from, to) };
    at = to;
  }
}
