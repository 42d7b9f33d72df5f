import type { Env } from "../env.js";
import { inNetworks } from "../ip-address.js";
import { oncePer } from "../once-per.js";

/** Whether the IP address is in `RATE_LIMIT_TRUSTED_IPS`. */
export function isTrusted(address: string | undefined, env: Env): boolean {
  return address !== undefined && trusted(env)(address);
}

const trusted = oncePer(({ rateLimit }: Env) => inNetworks(rateLimit.trustedIps));
