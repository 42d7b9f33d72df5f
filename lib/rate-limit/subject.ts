import type { Env } from "../env.js";
import { limitedAddress } from "../ip-address.js";
import { oncePer } from "../once-per.js";
import type { Subject } from "./count.js";
import { limitedAccount } from "./limited-account.js";
import { type Limit, limitsOf, type PolicyName } from "./policies.js";

/** The rows of these policies. */
export function limitsFor(env: Env, names: PolicyName[]): Limit[] {
  const table = limits(env);
  return names.flatMap((name) => table[name]);
}

const limits = oncePer(limitsOf);

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
export function subjectOf(env: Env, address: string | undefined, known: KnownCaller): Subject {
  const ip = limitedAddress(address);
  // A Redis key must not contain an e-mail address.
  const account = known.account && limitedAccount(env, known.account);
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
