import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";
import { rememberByText } from "./remember-by-text.js";

type Parsed = ipaddr.IPv4 | ipaddr.IPv6;

/** `address` must be canonical. */
export type NetworkTest = (address: string) => boolean;

/** Without a zone; IPv4-mapped IPv6 becomes IPv4. Undefined for an invalid address. */
export function canonicalAddress(text: string): string | undefined {
  const mapped = text.startsWith("::ffff:") ? text.slice("::ffff:".length) : text;
  if (isIPv4(mapped)) return mapped;
  if (isIP(text) === 0) return undefined;
  const [address = ""] = text.split("%");
  return ipaddr.process(address).toString();
}

/** A CIDR block or a single address; IPv4-mapped IPv6 becomes IPv4. Throws for anything else. */
export function parseNetwork(text: string): [base: Parsed, bits: number] {
  if (!text.includes("/")) {
    const address = ipaddr.process(text);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  }
  const [base, bits] = ipaddr.parseCIDR(text);
  const isMapped = base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [base.toIPv4Address(), bits - 96] : [base, bits];
}

/** What limits count an address by: IPv4 itself, the /64 of IPv6 (which one customer has), or `unknown` without an address. */
export function addressLimitKey(address: string | undefined): string {
  if (address === undefined) return "unknown";
  return isIPv4(address) ? address : networkOf(address, 24, 64);
}

/** The part that may be stored: /24 of IPv4, /48 of IPv6. */
export function addressPrefix(address: string | undefined): string | null {
  return address === undefined ? null : networkOf(address, 24, 48);
}

/** Throws for an entry that is neither a CIDR block nor an address. */
export function createNetworkTest(entries: readonly string[]): NetworkTest {
  const networks = entries.map(parseNetwork);
  if (networks.length === 0) return () => false;
  return rememberByText((address) => {
    const parsed = ipaddr.process(address);
    return networks.some(
      ([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits),
    );
  });
}

/** The network of a canonical address, such as `203.0.113.0/24`. `bits4` is a multiple of 8. */
export function networkOf(address: string, bits4: number, bits6: number): string {
  if (!isIPv4(address)) {
    return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits6}`)}/${bits6}`;
  }
  const bytes = address.split(".").map((byte, index) => (index < bits4 / 8 ? byte : "0"));
  return `${bytes.join(".")}/${bits4}`;
}
