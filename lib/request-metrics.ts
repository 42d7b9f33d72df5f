/** `operation` and `outcome` become metric labels: few distinct values. */
export interface ExternalCall {
  service: string;
  operation: string;
  /** `ok` or an error code such as `status_500`, `timeout`, `network` or `circuit_open`. */
  outcome: string;
  durationMs: number;
}

export const limitDeciders = ["redis", "postgres", "local"] as const;

export interface LimitUse {
  policy: string;
  used: number;
  max: number;
  refused: boolean;
  /** Postgres or the process itself (`local`) decides while Redis does not answer. */
  decidedBy: (typeof limitDeciders)[number];
}

/** Why a token is rejected. `form`: it is no token at all. */
export const tokenFailures = ["expired", "signature", "algorithm", "claim", "key", "form"] as const;
export type TokenFailure = (typeof tokenFailures)[number];

export const attemptChanges = ["started", "completed", "abandoned"] as const;

export const cacheResults = ["hit", "miss"] as const;

/** Collected during a request for its telemetry event. */
export interface RequestMetrics {
  userId: string | undefined;
  tokenFailure: TokenFailure | undefined;
  limits: LimitUse[];
  externalCalls: ExternalCall[];
  securityEvents: string[];
  /** A revocation, block or flag change is not yet in Redis. */
  isPendingInRedis: boolean;
  /** Whether Redis held the reply of the catalogue. */
  contentCache: (typeof cacheResults)[number] | undefined;
  /** What became of an attempt of a lesson. */
  attempt: (typeof attemptChanges)[number] | undefined;
  /** An answer that was graded: type of the exercise, and verdict. */
  answer: { type: string; verdict: string } | undefined;
}

export function emptyRequestMetrics(): RequestMetrics {
  return {
    userId: undefined,
    tokenFailure: undefined,
    limits: [],
    externalCalls: [],
    securityEvents: [],
    isPendingInRedis: false,
    contentCache: undefined,
    attempt: undefined,
    answer: undefined,
  };
}
