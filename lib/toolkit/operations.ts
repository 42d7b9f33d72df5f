/** How long answers of an operation are kept, each span after the one before. */
export interface Keeping {
  /** An answer this old is as good as new. */
  freshSeconds: number;
  /** One this old is given at once, and asked for anew after the reply. */
  revalidateSeconds: number;
  /** One this old is given where the toolkit fails. */
  errorSeconds: number;
}

export interface Operation {
  method: "GET" | "POST";
  path: string;
  /** How long one attempt may take. */
  attemptMs: number;
  /** How long all attempts and the pauses between them may take. */
  totalMs: number;
  /** None of the operations changes anything at the toolkit, so that repeating one is safe. */
  retriesMax: number;
  /** Null where nothing is kept. */
  keeping: Keeping | null;
}

const hours = 3600;
const days = 24 * hours;
const kept: Keeping = { freshSeconds: hours, revalidateSeconds: days, errorSeconds: 7 * days };

/** What the toolkit can do. Speech is never kept: neither audio nor what somebody has said. */
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
