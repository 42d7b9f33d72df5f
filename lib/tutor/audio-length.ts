import { mp4Seconds } from "./mp4-length.js";
import { wavSeconds } from "./wav-length.js";
import { webmSeconds } from "./webm-length.js";

/** Formats that the library does not read safely: docs/decisions/032. */
const ownSeconds: Record<string, (bytes: Uint8Array) => number | null> = {
  "audio/webm": webmSeconds,
  "audio/mp4": mp4Seconds,
  "audio/3gpp": mp4Seconds,
  "audio/wav": wavSeconds,
};

/** The length in seconds; null if unknown. Some formats are read only up to 120 s. Throws for an invalid file or too many packets. */
export async function audioSeconds(
  bytes: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<number | null> {
  const own = ownSeconds[contentType];
  if (own) return own(bytes);
  // Loaded with the first recording, because only this function needs the library.
  const { packetSeconds } = await import("./packet-length.js");
  return packetSeconds(bytes, contentType);
}
