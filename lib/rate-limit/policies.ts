import type { Env } from "../env.js";

export type PolicyName =
  | "default"
  | "auth-calls"
  | "auth-failures"
  | "account"
  | "guest-accounts"
  | "refresh"
  | "address-ceiling"
  | "registrations"
  | "unproven-mails"
  | "bad-signatures"
  | "exports"
  | "speech"
  | "toolkit";

/** The value that a request is counted by; a limit without a value does not count the request. */
export type LimitKind =
  | "session"
  /** The IP address of an unauthenticated caller. */
  | "ip"
  /** The IP address of any caller. */
  | "address"
  | "device"
  | "ip-account"
  | "account"
  | "account-session"
  | "user"
  /** An account without a verified e-mail address; the guests of one IP address count as one. */
  | "unverified"
  /** The IP address of such an account's caller. */
  | "unverified-ip"
  | "all";

export interface Limit {
  policy: PolicyName;
  kind: LimitKind;
  max: number;
  windowMs: number;
  /** `strict` counts in Postgres, `local` in this process, `deny` answers 503. */
  whenRedisFails: "local" | "strict" | "deny";
  /** Which counts are kept: of all requests, of those whose handler succeeded, or of failed attempts. */
  countsKept: "requests" | "work" | "failures";
  /** Counts only requests that the other windows allow. */
  isCeiling?: true;
  /** Rejects nothing: over the limit the mail is not sent. */
  suppressesMail?: true;
  /** A growing delay: failure `max` and each later one starts the next of these delays; the last repeats. */
  delaysMs?: readonly number[];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const strict = { whenRedisFails: "strict", countsKept: "requests" } as const;

const denied = { whenRedisFails: "deny", countsKept: "requests" } as const;

const local = { whenRedisFails: "local", countsKept: "requests" } as const;
const toolkitDay = {
  policy: "toolkit",
  windowMs: 24 * hourMs,
  ...denied,
  countsKept: "work",
} as const;

const delayed = {
  max: 5,
  windowMs: 24 * hourMs,
  ...strict,
  countsKept: "failures",
  delaysMs: [0.5 * minuteMs, minuteMs, 2 * minuteMs, 4 * minuteMs, 8 * minuteMs, 15 * minuteMs],
} as const;

export function limitsOf(env: Env): Record<PolicyName, Limit[]> {
  const { windowMs, maxRequests } = env.rateLimit;
  const { dailyCallsMax } = env.toolkit;
  const defaultLimit = {
    policy: "default",
    max: maxRequests,
    windowMs,
    ...local,
  } as const;
  // Independent of the number of sessions and of the route.
  const ceiling = {
    policy: "address-ceiling",
    kind: "address",
    max: 10 * maxRequests,
    windowMs,
    ...local,
    isCeiling: true,
  } as const;
  return {
    // One of the two counts: the session when signed in, else the address.
    default: [{ ...defaultLimit, kind: "session" }, { ...defaultLimit, kind: "ip" }, ceiling],
    "address-ceiling": [ceiling],
    "auth-calls": [
      { policy: "auth-calls", kind: "ip", max: 300, windowMs: 5 * minuteMs, ...strict },
      { policy: "auth-calls", kind: "device", max: 30, windowMs: 5 * minuteMs, ...strict },
      { policy: "auth-calls", kind: "session", max: 30, windowMs: 5 * minuteMs, ...strict },
      ceiling,
    ],
    // A school class shares one address.
    registrations: [
      { policy: "registrations", kind: "address", max: 60, windowMs: hourMs, ...local },
    ],
    // Mails to unverified addresses.
    "unproven-mails": [
      {
        policy: "unproven-mails",
        kind: "address",
        max: 60,
        windowMs: hourMs,
        ...local,
        isCeiling: true,
        suppressesMail: true,
      },
    ],
    "guest-accounts": [
      { policy: "guest-accounts", kind: "ip", max: 60, windowMs: hourMs, ...strict },
      { policy: "guest-accounts", kind: "device", max: 10, windowMs: 24 * hourMs, ...strict },
    ],
    // Allows fifty retries of one lost reply. Not by address, which a school shares.
    refresh: [{ policy: "refresh", kind: "session", max: 60, windowMs: minuteMs, ...strict }],
    "auth-failures": [
      {
        policy: "auth-failures",
        kind: "session",
        max: 5,
        windowMs: 15 * minuteMs,
        ...strict,
        countsKept: "failures",
      },
      {
        policy: "auth-failures",
        kind: "ip-account",
        max: 5,
        windowMs: 15 * minuteMs,
        ...strict,
        countsKept: "failures",
      },
      {
        policy: "auth-failures",
        kind: "ip",
        max: 100,
        windowMs: 15 * minuteMs,
        ...strict,
        countsKept: "failures",
      },
    ],
    // Guesses from any address. A caller with a token of the account is counted by the second row.
    account: [
      { policy: "account", kind: "account", ...delayed },
      { policy: "account", kind: "account-session", ...delayed },
    ],
    // Counted after the reply; over the limit only invalid tokens are rejected.
    "bad-signatures": [
      { policy: "bad-signatures", kind: "ip", max: 100, windowMs: 5 * minuteMs, ...local },
    ],
    exports: [
      {
        policy: "exports",
        kind: "user",
        max: 3,
        windowMs: 24 * hourMs,
        ...strict,
        countsKept: "work",
      },
    ],
    speech: [{ policy: "speech", kind: "user", max: 10, windowMs: minuteMs, ...denied }],
    // Each call costs money, so it is denied when the counter is unavailable.
    toolkit: [
      { kind: "unverified", max: 50, ...toolkitDay },
      // Leaves most of the daily calls to others when one address registers many accounts.
      { kind: "unverified-ip", max: Math.max(500, Math.floor(dailyCallsMax / 20)), ...toolkitDay },
      { kind: "all", max: dailyCallsMax, ...toolkitDay },
    ],
  };
}
