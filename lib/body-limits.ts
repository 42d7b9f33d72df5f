export interface BodyLimits {
  /** The longest pause between two chunks. */
  idleMsMax: number;
  /** For the whole body. */
  totalMsMax: number;
  /** For all unfinished bodies of the process together. */
  bufferedBytesMax: number;
}

export const bodyLimits: BodyLimits = {
  idleMsMax: 20_000,
  // The largest recording takes 160 s at 25 kB/s.
  totalMsMax: 240_000,
  bufferedBytesMax: 32 * 1024 * 1024,
};
