import type { Env } from "../env.js";

export type PolicyName =
  | "default"
  | "auth-calls"
  | "auth-failures"
  | "account"
  | "guest-accounts"
  | "refresh"
  | "speech"
  | "toolkit";

/** What one caller is counted by. A row whose value is unknown for a request does not count it. */
export type LimitKind =
  | "session"
  | "ip"
  | "device"
  | "ip-account"
  | "account"
  | "account-session"
  | "user"
  /** An account without a verified e-mail address; the guests of one IP address together. */
  | "unverified"
  /** The IP address of a caller without a verified e-mail address. */
  | "unverified-ip"
  /** Everybody together. */
  | "all";

/** One counter: at most `max` in each fixed window, per value of its kind. */
export interface Limit {
  policy: PolicyName;
  kind: LimitKind;
  max: number;
  windowMs: number;
  /** `strict` counts in Postgres instead; `allow` lets the request pass, `deny` answers 503. */
  whenRedisFails: "allow" | "strict" | "deny";
  /** What stays counted: every request, only those whose work was begun, or only attempts that failed. */
  keeps: "requests" | "work" | "failures";
  /**
   * Makes the row a growing delay: the `max`th failure and each one after it is followed by the next of
   * these, the last one for ever. The window then begins with each failure, and a success ends it.
   */
  delaysMs?: readonly number[];
}

const minutes = 60_000;
const hours = 60 * minutes;
const strict = { whenRedisFails: "strict", keeps: "requests" } as const;

const denied = { whenRedisFails: "deny", keeps: "requests" } as const;

const toolkitDay = { policy: "toolkit", windowMs: 24 * hours, ...denied, keeps: "work" } as const;

const delayed = {
  max: 5,
  windowMs: 24 * hours,
  ...strict,
  keeps: "failures",
  delaysMs: [0.5 * minutes, minutes, 2 * minutes, 4 * minutes, 8 * minutes, 15 * minutes],
} as const;

/** Every limit, on one page. The default one is set by the environment. */
export function limitsOf(env: Env): Record<PolicyName, Limit[]> {
  const { windowMs, maxRequests } = env.rateLimit;
  const { dailyCallsMax } = env.toolkit;
  const byDefault = {
    policy: "default",
    max: maxRequests,
    windowMs,
    whenRedisFails: "allow",
    keeps: "requests",
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
      // Signed in, the session is the device.
      { policy: "auth-calls", kind: "session", max: 30, windowMs: 5 * minutes, ...strict },
    ],
    // A class that begins together shares an address; nobody needs many guests on one device.
    "guest-accounts": [
      { policy: "guest-accounts", kind: "ip", max: 60, windowMs: hours, ...strict },
      { policy: "guest-accounts", kind: "device", max: 10, windowMs: 24 * hours, ...strict },
    ],
    // Twice what fifty repetitions of one lost reply need; never by address, for schools share one.
    refresh: [{ policy: "refresh", kind: "session", max: 60, windowMs: minutes, ...strict }],
    "auth-failures": [
      // Signed in, whoever holds the session's token has as few guesses, from wherever.
      {
        policy: "auth-failures",
        kind: "session",
        max: 5,
        windowMs: 15 * minutes,
        ...strict,
        keeps: "failures",
      },
      {
        policy: "auth-failures",
        kind: "ip-account",
        max: 5,
        windowMs: 15 * minutes,
        ...strict,
        keeps: "failures",
      },
      {
        policy: "auth-failures",
        kind: "ip",
        max: 100,
        windowMs: 15 * minutes,
        ...strict,
        keeps: "failures",
      },
    ],
    // Whatever addresses the guesses come from. A caller who shows a token of the account's own is let
    // past the first row, and counted by the second.
    account: [
      { policy: "account", kind: "account", ...delayed },
      { policy: "account", kind: "account-session", ...delayed },
    ],
    speech: [{ policy: "speech", kind: "user", max: 10, windowMs: minutes, ...denied }],
    // Each call of the toolkit costs money: nobody is let past a counter that does not answer.
    toolkit: [
      { kind: "unverified", max: 50, ...toolkitDay },
      // However many accounts one IP address registers, most of the day's calls are left to others.
      { kind: "unverified-ip", max: Math.max(500, Math.floor(dailyCallsMax / 20)), ...toolkitDay },
      { kind: "all", max: dailyCallsMax, ...toolkitDay },
    ],
  };
}
