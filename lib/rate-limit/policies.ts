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
  | "speech"
  | "toolkit";

/** What one caller is counted by. A row whose value is unknown for a request does not count it. */
export type LimitKind =
  | "session"
  /** The address of a caller who is signed out. */
  | "ip"
  /** The address of any caller. */
  | "address"
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
  /** `strict` counts in Postgres instead; `local` by what this process has counted; `deny` answers 503. */
  whenRedisFails: "local" | "strict" | "deny";
  /** What stays counted: every request, only those whose work was begun, or only attempts that failed. */
  keeps: "requests" | "work" | "failures";
  /** Counts only what the request's other windows let pass: what they refuse uses nothing of it up. */
  isCeiling?: true;
  /** Refuses nothing: over it the mail is not sent, and the reply is the same. */
  mutes?: true;
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

const local = { whenRedisFails: "local", keeps: "requests" } as const;
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
    ...local,
  } as const;
  // However many sessions an address has. By the same counter whatever is called.
  const ceiling = {
    policy: "address-ceiling",
    kind: "address",
    max: 10 * maxRequests,
    windowMs,
    ...local,
    isCeiling: true,
  } as const;
  return {
    // Signed in, the session counts; signed out, the address does: the other value is not given.
    default: [{ ...byDefault, kind: "session" }, { ...byDefault, kind: "ip" }, ceiling],
    "address-ceiling": [ceiling],
    "auth-calls": [
      { policy: "auth-calls", kind: "ip", max: 300, windowMs: 5 * minutes, ...strict },
      { policy: "auth-calls", kind: "device", max: 30, windowMs: 5 * minutes, ...strict },
      // Signed in, the session is the device.
      { policy: "auth-calls", kind: "session", max: 30, windowMs: 5 * minutes, ...strict },
      ceiling,
    ],
    // A class that begins together shares an address.
    registrations: [
      { policy: "registrations", kind: "address", max: 60, windowMs: hours, ...local },
    ],
    // To e-mail addresses that nobody has proven to be theirs, whoever asks for them.
    "unproven-mails": [
      {
        policy: "unproven-mails",
        kind: "address",
        max: 60,
        windowMs: hours,
        ...local,
        isCeiling: true,
        mutes: true,
      },
    ],
    // Nobody needs many guests on one device.
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
    // Counted after the reply; then only further bad tokens are refused.
    "bad-signatures": [
      { policy: "bad-signatures", kind: "ip", max: 100, windowMs: 5 * minutes, ...local },
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
