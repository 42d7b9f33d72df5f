import { mp4Seconds } from "./mp4-length.js";
import { webmSeconds } from "./webm-length.js";

/** What a few bytes can claim without end is not given to the library: see docs/decisions/032. */
const ownSeconds: Record<string, (bytes: Uint8Array) => number | null> = {
  "audio/webm": webmSeconds,
  "audio/mp4": mp4Seconds,
  "audio/3gpp": mp4Seconds,
};

/**
 * How many seconds an audio file lasts, by its packets; null where they do not say. Throws where it is
 * not a file of its type, or has far more packets than a minute has.
 */
export async function audioSeconds(
  bytes: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<number | null> {
  const own = ownSeconds[contentType];
  if (own) return own(bytes);
  // Loaded with the first recording: no other function needs the library.
  const { packetSeconds } = await import("./packet-length.js");
  return packetSeconds(bytes, contentType);
}
