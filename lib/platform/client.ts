import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.process>;

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
  const trusts = trustedProxies.map(parseNetwork);
  const isTrusted = (address: string) => {
    const parsed = ipaddr.process(address);
    return trusts.some((contains) => contains(parsed));
  };
  return ({ socketAddress, forwardedFor, forwardedProto }) => {
    let address = plainAddress(socketAddress) ?? socketAddress;
    if (trusts.length === 0 || !isTrusted(address)) return { address, protocol: "http" };
    const hops = forwardedFor?.split(",") ?? [];
    while (hops.length > 0 && isTrusted(address)) {
      const previous = plainAddress(hops.pop() ?? "");
      if (previous === undefined) break;
      address = previous;
    }
    const protocol = forwardedProto?.split(",").at(-1)?.trim() === "https" ? "https" : "http";
    return { address, protocol };
  };
}

function parseNetwork(text: string): (address: Address) => boolean {
  try {
    const [network, bits] = text.includes("/")
      ? ipaddr.parseCIDR(text)
      : [ipaddr.process(text), 128];
    const length = network.kind() === "ipv4" ? Math.min(bits, 32) : bits;
    return (address) => address.kind() === network.kind() && address.match(network, length);
  } catch {
    throw new Error(
      `TRUSTED_PROXIES holds "${text}", which is neither an address nor a CIDR block.`,
    );
  }
}

function plainAddress(text: string): string | undefined {
  const address = text
    .trim()
    .replace(/^\[(.+)\](:\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : undefined;
}
