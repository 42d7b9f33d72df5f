const capturePattern = Buffer.from("OggS").readUInt32BE();
const streamsMax = 16;
/** A minute has at most 24,000 packets: Opus with 2.5 ms each. */
const pagesMax = 30_000;
/** Of all streams. The library takes quadratic time for them. */
const commentBytesMax = 16 * 1024;

interface LogicalStream {
  packets: number;
  granule: number;
}

/** The chained streams of an Ogg file (RFC 3533), of which the library reads only the first. Throws for too many, and for missing or decreasing timestamps. */
export function oggStreams(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  const streams = new Map<number, LogicalStream>();
  let isStart = false;
  let commentBytes = 0;
  let pages = 0;
  for (let at = 0; at + 27 <= file.length && file.readUInt32BE(at) === capturePattern; pages += 1) {
    const wasStart = isStart;
    isStart = (file.readUInt8(at + 5) & 2) !== 0;
    if (isStart && !wasStart) starts.push(at);
    const serial = file.readUInt32LE(at + 14);
    const known = isStart ? undefined : streams.get(serial);
    const stream = known ?? { packets: 0, granule: 0 };
    streams.set(serial, stream);
    const packetsBefore = stream.packets;
    const segments = file.subarray(at + 27, at + 27 + file.readUInt8(at + 26));
    let size = 27 + segments.length;
    for (const segment of segments) {
      size += segment;
      if (stream.packets === 1) commentBytes += segment;
      if (segment < 255) stream.packets += 1;
    }
    const granule = file.readInt32LE(at + 10) * 2 ** 32 + file.readUInt32LE(at + 6);
    // A page on which no packet ends has no timestamp.
    if (stream.packets > packetsBefore) {
      if (granule < stream.granule) throw new Error("Its timestamps decrease.");
      stream.granule = granule;
    }
    if (starts.length > streamsMax || pages > pagesMax || commentBytes > commentBytesMax)
      throw new Error("It has too many streams, pages or comments.");
    at += size;
  }
  return starts.map((start, index) => bytes.subarray(start, starts[index + 1]));
}
