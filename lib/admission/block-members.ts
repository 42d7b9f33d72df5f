import { isIPv4 } from "node:net";
import { canonicalAddress, networkOf, parseNetwork } from "../ip-address.js";

/** The prefix lengths that can be blocked: every request looks up its address with each of them. */
const prefixLengths = { ipv4: [32, 24, 16, 8], ipv6: [128, 64, 48, 32] } as const;

export function networksOf(address: string): string[] {
  const lengths = isIPv4(address) ? prefixLengths.ipv4 : prefixLengths.ipv6;
  return lengths.map((length) => networkOf(address, length, length));
}

export const userMember = (userId: string) => `user:${userId}`;

/** The canonical form `203.0.113.0/24`, or the reason why it cannot be blocked. */
export function blockableNetwork(text: string): { network: string } | { problem: string } {
  const [base = "", bits, ...more] = text.trim().split("/");
  const address = canonicalAddress(base);
  const isWritten = bits === undefined || /^\d{1,3}$/.test(bits);
  if (address === undefined || !isWritten || more.length > 0) {
    return { problem: "Not an IP address or CIDR network." };
  }
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  const lengths: readonly number[] = prefixLengths[family];
  const length = bits === undefined ? Math.max(...lengths) : Number(bits);
  if (!lengths.includes(length)) return { problem: lengthProblem(family, length) };
  return { network: networkOf(address, length, length) };
}

export function overlap(one: string, other: string): boolean {
  const [[base, bits], [otherBase, otherBits]] = [parseNetwork(one), parseNetwork(other)];
  return base.kind() === otherBase.kind() && base.match(otherBase, Math.min(bits, otherBits));
}

function lengthProblem(family: keyof typeof prefixLengths, length: number): string {
  const lengths = [...prefixLengths[family]].sort((one, other) => one - other);
  const names = lengths.map((bits) => `/${bits}`).join(", ");
  const narrower = lengths.find((bits) => bits > length);
  const split = narrower === undefined ? "" : ` Block its /${narrower} networks instead.`;
  return `Only ${names} can be blocked.${split}`;
}
