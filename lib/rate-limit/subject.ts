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
  const { user, session, device, shownSession } = known;
  const values: LimitValues = { all: "all", address: ip };
  if (user !== undefined) values.user = user;
  if (user !== undefined && !known.isVerified) {
    // Guest accounts are free: those of one IP address count as one.
    values.unverified = known.isGuest ? `guests/${ip}` : user;
    values["unverified-ip"] = ip;
  }
  if (session === undefined) values.ip = ip;
  else values.session = session;
  if (device !== undefined) values.device = device;
  if (account !== undefined) {
    values.account = account;
    values["ip-account"] = `${ip}/${account}`;
    if (shownSession !== undefined) values["account-session"] = `${account}/${shownSession}`;
  }
  return values;
}
