import type { Kind } from "../queue/kind.js";

/** The kinds of jobs. Another kind is left to the release that knows it. */
export const jobKinds: readonly Kind[] = [];
