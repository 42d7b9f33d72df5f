const streamsMax = 16;

/** The chained streams of an Ogg file (RFC 3533), of which the library reads only the first. Throws for over 16. */
export function oggStreams(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  let isStart = false;
  for (let at = 0; at + 27 <= file.length && file.toString("latin1", at, at + 4) === "OggS"; ) {
    const wasStart = isStart;
    isStart = (file.readUInt8(at + 5) & 2) !== 0;
    if (isStart && !wasStart) starts.push(at);
    const segments = file.subarray(at + 27, at + 27 + file.readUInt8(at + 26));
    at += segments.reduce((size, segment) => size + segment, 27 + segments.length);
  }
  if (starts.length > streamsMax) throw new Error("It has too many streams.");
  return starts.map((start, index) => bytes.subarray(start, starts[index + 1]));
}
