import type { Env } from "../env.js";
import { createNetworkTest } from "../ip-address.js";
import { memoizeByObject } from "../memoize-by-object.js";

/** Whether the IP address is in `RATE_LIMIT_TRUSTED_IPS`. */
export function isTrusted(address: string | undefined, env: Env): boolean {
  return address !== undefined && trusted(env)(address);
}

const trusted = memoizeByObject(({ rateLimit }: Env) => createNetworkTest(rateLimit.trustedIps));
