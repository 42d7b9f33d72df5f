import { mp4Seconds } from "./mp4-length.js";
import { oggSeconds } from "./ogg-length.js";
import { wavSeconds } from "./wav-length.js";
import { webmSeconds } from "./webm-length.js";

/** The library reads each frame: 60 s of AAC at 96 kHz, which has the most of them, take 39,400 reads. */
const readsMax = 60_000;
/** No header of a frame is larger, and what is read at once is walked without another read. */
const readBytesMax = 4096;

/** What a few bytes can claim without end is not given to the library, which walks all of it in one turn. */
const ownSeconds: Record<string, (bytes: Uint8Array) => number | null> = {
  "audio/webm": webmSeconds,
  "audio/ogg": oggSeconds,
  "audio/wav": wavSeconds,
  "audio/mp4": mp4Seconds,
  "audio/3gpp": mp4Seconds,
};

/**
 * How many seconds an audio file lasts, as its own frames or header say; null where they do not say.
 * Throws where it is no file of its type, or has more frames than are looked at.
 */
export async function audioSeconds(
  bytes: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<number | null> {
  const own = ownSeconds[contentType];
  if (own) return own(bytes);
  // Loaded with the first recording: no other function needs it.
  const { parseFromTokenizer } = await import("music-metadata");
  const reader = await sparingReader(withoutTags(bytes), contentType);
  const { format } = await parseFromTokenizer(reader, { duration: true, skipCovers: true });
  if (!format.codec) throw new Error("There is no audio in it.");
  return format.duration ?? null;
}

/** Reading from memory never lets another request have its turn: so it is not done without end. */
async function sparingReader(bytes: Uint8Array, mimeType: string) {
  const { fromBuffer } = await import("strtok3/core");
  const fileInfo = { mimeType, size: bytes.byteLength };
  const reader = fromBuffer(bytes, { fileInfo, maxBufferSize: readBytesMax });
  let reads = 0;
  const counted =
    <A extends unknown[], R>(read: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      reads += 1;
      if (reads > readsMax) throw new Error("It has too many frames.");
      return read.apply(reader, args);
    };
  reader.readBuffer = counted(reader.readBuffer);
  reader.peekBuffer = counted(reader.peekBuffer);
  reader.ignore = counted(reader.ignore);
  // Else the library looks for tags at the end and compares each text in them with all others.
  reader.supportsRandomAccess = () => false;
  return reader;
}

/** The frames after the ID3 tags, in which the library compares each text with all others. */
function withoutTags(bytes: Uint8Array): Uint8Array {
  let at = 0;
  while (bytes[at] === 0x49 && bytes[at + 1] === 0x44 && bytes[at + 2] === 0x33) {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at + 6, at + 10);
    at += 10 + (((a & 127) << 21) | ((b & 127) << 14) | ((c & 127) << 7) | (d & 127));
  }
  return bytes.subarray(at);
}
