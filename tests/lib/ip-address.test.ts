import { describe, expect, it } from "vitest";
import { overlap } from "../../lib/admission/block-members.js";
import { canonicalAddress, createNetworkTest } from "../../lib/ip-address.js";

describe("canonicalAddress", () => {
  it.each(["fe80::1%eth0", "fe80::1%eth0.100", "fe80::1%br-0a1b2c", "fe80::1%en:1"])(
    "removes the zone (%s)",
    (text) => expect(canonicalAddress(text)).toBe("fe80::1"),
  );

  it.each(["203.0.113.7%eth0", "fe80::1%", "fe80::", "::%eth0"])("does not throw for %s", (text) =>
    expect(() => canonicalAddress(text)).not.toThrow(),
  );
});

describe("an IPv4-mapped IPv6 network", () => {
  it("contains its IPv4 addresses only", () => {
    const isInside = createNetworkTest(["::ffff:192.0.2.0/120"]);
    expect(isInside("192.0.2.7")).toBe(true);
    expect(isInside("192.0.3.7")).toBe(false);
    expect(createNetworkTest(["::ffff:192.0.2.7"])("192.0.2.7")).toBe(true);
  });

  it("overlaps with the IPv4 network", () => {
    expect(overlap("192.0.2.0/24", "::ffff:192.0.2.0/120")).toBe(true);
    expect(overlap("192.0.3.0/24", "::ffff:192.0.2.0/120")).toBe(false);
  });
});
