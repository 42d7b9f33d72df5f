/** 0: keep every row. 1: one in ten, and all with server errors or security events. 2: counters only. Counters are exact in every mode. */
export type Mode = 0 | 1 | 2;

const lagMsMax = 120_000;

export function modeOf(streamBytes: number, streamBytesMax: number, lagMs: number): Mode {
  if (streamBytes > 0.8 * streamBytesMax) return 2;
  return streamBytes > 0.5 * streamBytesMax || lagMs > lagMsMax ? 1 : 0;
}

/** Below all modes, so that a drain starts before rows are left out. */
export const isFillingUp = (streamBytes: number, streamBytesMax: number) =>
  streamBytes > 0.25 * streamBytesMax;
