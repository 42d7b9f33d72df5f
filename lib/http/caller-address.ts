import type { Env } from "../env.js";
import { canonicalAddress, inNetworks } from "../ip-address.js";
import { oncePer } from "../once-per.js";
import { isSelfHosted } from "../platform/installed.js";

/**
 * The caller's IP address as the platform (or our own server, which overwrites what clients forge) set
 * it; undefined where neither runs. An IPv4-mapped address is given as IPv4.
 */
export function callerAddress(request: Request, env: Env): string | undefined {
  if (!env.http.onVercel && !isSelfHosted()) return undefined;
  const { headers } = request;
  const stated = headers.get("x-vercel-forwarded-for") ?? headers.get("x-real-ip") ?? "";
  const [first = ""] = stated.split(",");
  return canonicalAddress(first.trim());
}

/** Is the address among `RATE_LIMIT_TRUSTED_IPS`? */
export function isTrusted(address: string | undefined, env: Env): boolean {
  return address !== undefined && trusted(env)(address);
}

const trusted = oncePer(({ rateLimit }: Env) => inNetworks(rateLimit.trustedIps));
