import { canonicalAddress, inNetworks, type NetworkTest } from "../../ip-address.js";

export interface Client {
  address: string;
  protocol: "http" | "https";
}

/** What the connection and its last hop say about where a request comes from. */
export interface Hop {
  socketAddress: string;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
}

/**
 * Make the function that says who sent a request: the socket's address, or, when that is a trusted
 * proxy's, the right-most address of `X-Forwarded-For` that is not. IPv4-mapped IPv6 is written as IPv4.
 *
 * `trustedProxies` are CIDR blocks or single addresses; throws an error that names a malformed one.
 */
export function createClientReader(trustedProxies: readonly string[]): (hop: Hop) => Client {
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
      inNetworks([entry]);
    } catch {
      throw new Error(
        `TRUSTED_PROXIES holds "${entry}", which is neither an address nor a CIDR block.`,
      );
    }
  }
  return inNetworks(trustedProxies);
}

function withoutPort(text: string): string {
  return text
    .trim()
    .replace(/^\[(.+)\](:\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
}
