/** How many seconds a WAV file lasts. Throws where it does not say how much of it is a second. */
export function wavSeconds(bytes: Uint8Array): number {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let bytesPerSecond = 0;
  let soundBytes = 0;
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString("latin1", at, at + 4);
    const size = file.readUInt32LE(at + 4);
    if (name === "fmt ") bytesPerSecond = file.readUInt32LE(at + 16);
    // What is recorded on the fly claims more than there is.
    if (name === "data") soundBytes += Math.min(size, file.length - at - 8);
    at += 8 + size + (size % 2);
  }
  if (bytesPerSecond === 0) throw new Error("There is no audio in it.");
  return soundBytes / bytesPerSecond;
}
