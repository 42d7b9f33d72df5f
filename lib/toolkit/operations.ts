/** Cache times of an operation; each span follows the previous one. */
export interface CachePolicy {
  freshSeconds: number;
  /** stale-while-revalidate */
  revalidateSeconds: number;
  /** stale-if-error */
  errorSeconds: number;
}

export interface Operation {
  method: "GET" | "POST";
  path: string;
  attemptMs: number;
  totalMs: number;
  /** Retries are safe: no operation changes anything at the toolkit. */
  retriesMax: number;
  keeping: CachePolicy | null;
}

const hours = 3600;
const days = 24 * hours;
const kept: CachePolicy = { freshSeconds: hours, revalidateSeconds: days, errorSeconds: 7 * days };

/** Speech is personal and never cached. */
export const operations: Record<"text" | "object" | "transcribe" | "health", Operation> = {
  text: {
    method: "POST",
    path: "/text/llm/",
    attemptMs: 15_000,
    totalMs: 25_000,
    retriesMax: 2,
    keeping: kept,
  },
  object: {
    method: "POST",
    path: "/llm/object",
    attemptMs: 20_000,
    totalMs: 28_000,
    retriesMax: 2,
    keeping: kept,
  },
  transcribe: {
    method: "POST",
    path: "/stt/transcribe/",
    attemptMs: 20_000,
    totalMs: 25_000,
    retriesMax: 2,
    keeping: null,
  },
  health: {
    method: "GET",
    path: "/health",
    attemptMs: 800,
    totalMs: 800,
    retriesMax: 0,
    keeping: null,
  },
};

export type OperationName = keyof typeof operations;
