import type { Env } from "../env.js";
import { addressLimitKey } from "../ip-address.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { accountLimitKey } from "./account-limit-key.js";
import type { LimitValues } from "./count.js";
import { type Limit, limitsOf, type PolicyName } from "./policies.js";

export function limitsFor(env: Env, names: PolicyName[]): Limit[] {
  const table = limits(env);
  return names.flatMap((name) => table[name]);
}

const limits = memoizeByObject(limitsOf);

interface KnownCaller {
  session?: string | undefined;
  device?: string | undefined;
  account?: string | undefined;
  /** The session of a token that was sent together with credentials. */
  shownSession?: string | undefined;
  user?: string | undefined;
  isGuest?: boolean | undefined;
  isVerified?: boolean | undefined;
}

/** The values a request is counted by: its session, else its IP address, and what else is known. */
export function subjectOf(env: Env, address: string | undefined, known: KnownCaller): LimitValues {
  const ip = addressLimitKey(address);
  // A Redis key must not contain an e-mail address.
  const account = known.account && accountLimitKey(env, known.account);
  return {
    all: "all",
    address: ip,
    ...(known.user === undefined ? {} : { user: known.user }),
    ...(known.user === undefined || known.isVerified
      ? {}
      : // Guest accounts are free: those of one IP address count as one.
        { unverified: known.isGuest ? `guests/${ip}` : known.user, "unverified-ip": ip }),
    ...(known.session === undefined ? { ip } : { session: known.session }),
    ...(known.device === undefined ? {} : { device: known.device }),
    ...(account === undefined ? {} : { account, "ip-account": `${ip}/${account}` }),
    ...(account === undefined || known.shownSession === undefined
      ? {}
      : { "account-session": `${account}/${known.shownSession}` }),
  };
}
