/** The media type by the first bytes; null if unsupported. */
export function audioTypeOf(bytes: Uint8Array): string | null {
  const text = (from: number, to: number) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", from, to);
  const [first = 0, second = 0] = bytes;
  if (text(0, 4) === "\x1a\x45\xdf\xa3") return isWebm(text(0, 64)) ? "audio/webm" : null;
  if (text(0, 4) === "OggS") return "audio/ogg";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WAVE") return "audio/wav";
  if (text(4, 8) === "ftyp") return text(8, 11) === "3gp" ? "audio/3gpp" : "audio/mp4";
  if (text(0, 3) === "ID3") return "audio/mpeg";
  if (first !== 0xff) return null;
  // ADTS: layer 0. MPEG audio: layer III alone, which is 01.
  if ((second & 0xf6) === 0xf0) return "audio/aac";
  return (second & 0xe6) === 0xe2 ? "audio/mpeg" : null;
}

/** Matroska shares this header. */
const isWebm = (head: string) => head.includes("webm");
