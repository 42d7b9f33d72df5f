import { canonicalAddress, createNetworkTest, type NetworkTest } from "../../ip-address.js";

export interface CallerInfo {
  address: string;
  protocol: "http" | "https";
}

export interface Hop {
  socketAddress: string;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
}

/**
 * The client is the socket's address or, behind trusted proxies, the right-most untrusted address of X-Forwarded-For.
 * Throws for an invalid entry (address or CIDR) of `trustedProxies`.
 */
export function createClientReader(trustedProxies: readonly string[]): (hop: Hop) => CallerInfo {
  const isTrusted = testFor(trustedProxies);
  return ({ socketAddress, forwardedFor, forwardedProto }) => {
    let address = canonicalAddress(socketAddress) ?? socketAddress;
    if (trustedProxies.length === 0 || !isTrusted(address)) return { address, protocol: "http" };
    const hops = forwardedFor?.split(",") ?? [];
    while (hops.length > 0 && isTrusted(address)) {
      const previous = canonicalAddress(withoutPort(hops.pop() ?? ""));
      if (previous === undefined) break;
      address = previous;
    }
    const protocol = forwardedProto?.split(",").at(-1)?.trim() === "https" ? "https" : "http";
    return { address, protocol };
  };
}

function testFor(trustedProxies: readonly string[]): NetworkTest {
  for (const entry of trustedProxies) {
    try {
      createNetworkTest([entry]);
    } catch {
      throw new Error(
        `Invalid entry "${entry}" in TRUSTED_PROXIES: must be an IP address or CIDR block.`,
      );
    }
  }
  return createNetworkTest(trustedProxies);
}

function withoutPort(text: string): string {
  return text
    .trim()
    .replace(/^\[(.+)\](:\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
}
