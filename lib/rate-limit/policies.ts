import type { Env } from "../env.js";

export type PolicyName = "default" | "auth-calls" | "auth-failures";

/** What one caller is counted by. A row whose value is unknown for a request does not count it. */
export type LimitKind = "session" | "ip" | "device" | "ip-account";

/** One counter: at most `max` in each fixed window, per value of its kind. */
export interface Limit {
  policy: PolicyName;
  kind: LimitKind;
  max: number;
  windowMs: number;
  /** `strict` counts in Postgres instead; `allow` lets the request pass. */
  whenRedisFails: "allow" | "strict";
  /** Counted before the work and given back when it succeeds, so that only failures remain. */
  refundable: boolean;
}

const minutes = 60_000;
const strict = { whenRedisFails: "strict", refundable: false } as const;

/** Every limit, on one page. The default one is set by the environment. */
export function limitsOf(env: Env): Record<PolicyName, Limit[]> {
  const { windowMs, maxRequests } = env.rateLimit;
  const byDefault = {
    policy: "default",
    max: maxRequests,
    windowMs,
    whenRedisFails: "allow",
    refundable: false,
  } as const;
  return {
    // Signed in, the session counts; signed out, the address does: the other value is not given.
    default: [
      { ...byDefault, kind: "session" },
      { ...byDefault, kind: "ip" },
    ],
    "auth-calls": [
      { policy: "auth-calls", kind: "ip", max: 300, windowMs: 5 * minutes, ...strict },
      { policy: "auth-calls", kind: "device", max: 30, windowMs: 5 * minutes, ...strict },
    ],
    "auth-failures": [
      {
        policy: "auth-failures",
        kind: "ip-account",
        max: 5,
        windowMs: 15 * minutes,
        ...strict,
        refundable: true,
      },
      {
        policy: "auth-failures",
        kind: "ip",
        max: 100,
        windowMs: 15 * minutes,
        ...strict,
        refundable: true,
      },
    ],
  };
}
