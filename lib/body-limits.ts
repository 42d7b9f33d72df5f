export interface BodyLimits {
  /** The longest pause between two chunks. */
  silenceMsMax: number;
  /** For the whole body. */
  arrivalMsMax: number;
  unfinishedBytesMax: number;
}

export const bodyLimits: BodyLimits = {
  silenceMsMax: 20_000,
  // The largest recording takes 160 s at 25 kB/s.
  arrivalMsMax: 240_000,
  unfinishedBytesMax: 32 * 1024 * 1024,
};
