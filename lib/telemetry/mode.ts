/** 0: every row is kept. 1: one row in ten. 2: counts alone. Counts are exact in every mode. */
export type Mode = 0 | 1 | 2;

const lagMsMax = 120_000;

/** How much is kept, by how full the stream is and how far behind its reader. */
export function modeOf(streamBytes: number, streamBytesMax: number, lagMs: number): Mode {
  if (streamBytes > 0.8 * streamBytesMax) return 2;
  return streamBytes > 0.5 * streamBytesMax || lagMs > lagMsMax ? 1 : 0;
}
