/** One call of a service outside, for the metrics: `operation` and `outcome` are words of few values. */
export interface ExternalCall {
  service: string;
  operation: string;
  /** `ok`, or why it failed: `status_500`, `timeout`, `network`, `invalid_reply`, `circuit_open`. */
  outcome: string;
  durationMs: number;
}

/** What one policy counted of a request. */
export interface LimitUse {
  policy: string;
  used: number;
  max: number;
  refused: boolean;
  /** While Redis does not answer, Postgres or the process by itself decides. */
  decidedBy: "redis" | "postgres" | "local";
}

/** What is learnt of a request while it is answered, for the event that it ends in. */
export interface RequestMetrics {
  /** Whose valid token was shown. */
  userId: string | undefined;
  /** Why a token was refused, in a word. */
  tokenFailure: string | undefined;
  limits: LimitUse[];
  externalCalls: ExternalCall[];
  /** The security events it caused, by name. */
  securityEvents: string[];
  /** It ended, blocked or switched off what Redis has not taken yet. */
  isPendingInRedis: boolean;
}

export function emptyRequestMetrics(): RequestMetrics {
  return {
    userId: undefined,
    tokenFailure: undefined,
    limits: [],
    externalCalls: [],
    securityEvents: [],
    isPendingInRedis: false,
  };
}
