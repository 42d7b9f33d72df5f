import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { Env } from "../env.js";
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
  const address = first.trim();
  return isIP(address) ? ipaddr.process(address).toString() : undefined;
}

/** What an address is limited by: IPv4 by itself, IPv6 by its /64, which one customer owns whole. */
export function limitedAddress(address: string | undefined): string {
  return address === undefined ? "unknown" : network(address, 32, 64);
}

/** The part of an address that is kept with a session: /24 of IPv4, /48 of IPv6. */
export function addressPrefix(address: string | undefined): string | null {
  return address === undefined ? null : network(address, 24, 48);
}

/** Is the address among `RATE_LIMIT_TRUSTED_IPS`? */
export function isTrusted(address: string | undefined, env: Env): boolean {
  const ranges = trustedRanges(env);
  if (address === undefined || ranges.length === 0) return false;
  const parsed = ipaddr.process(address);
  return ranges.some(
    ([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits),
  );
}

const trustedRanges = oncePer(({ rateLimit }: Env) =>
  rateLimit.trustedIps.map((entry) => {
    if (entry.includes("/")) return ipaddr.parseCIDR(entry);
    const address = ipaddr.process(entry);
    return [address, address.kind() === "ipv4" ? 32 : 128] as const;
  }),
);

function network(address: string, bits4: number, bits6: number): string {
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") {
    if (bits4 === 32) return address;
    return `${ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits4}`)}/${bits4}`;
  }
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits6}`)}/${bits6}`;
}
