/** How long the body of a request may take, and how much memory unfinished ones may hold. */
export interface BodyLimits {
  /** Without a byte. */
  silenceMsMax: number;
  /** In all. */
  arrivalMsMax: number;
  /** In this process. */
  unfinishedBytesMax: number;
}

export const bodyLimits: BodyLimits = {
  silenceMsMax: 20_000,
  // The largest recording takes 160 s at 25 kB/s.
  arrivalMsMax: 240_000,
  unfinishedBytesMax: 32 * 1024 * 1024,
};
