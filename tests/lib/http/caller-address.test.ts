import { describe, expect, it } from "vitest";
import * as z from "zod";
import { env } from "../../../lib/env.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { addressLimitKey, addressPrefix } from "../../../lib/ip-address.js";
import { isTrusted } from "../../../lib/rate-limit/trusted-address.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";

useEnvironment({ VERCEL: "1" });

const whoami = route("/api/whoami", {
  GET: endpoint({
    summary: "The address that the request is counted by.",
    auth: "anonymous",
    limits: [],
    replies: { 200: z.unknown() },
    errors: [],
    handle: async ({ ctx }) => ({ address: ctx.address ?? null }),
  }),
});

async function seenAddress(headers: Record<string, string>): Promise<string | null> {
  const request = new Request("http://localhost/api/whoami", { headers });
  const body = (await (await whoami.fetch(request)).json()) as { address: string | null };
  return body.address;
}

describe("the caller's address", () => {
  it("is the one that the platform sets", async () => {
    expect(await seenAddress({ "x-vercel-forwarded-for": "203.0.113.7" })).toBe("203.0.113.7");
    expect(await seenAddress({ "x-real-ip": "203.0.113.7" })).toBe("203.0.113.7");
    const both = { "x-vercel-forwarded-for": "203.0.113.7", "x-real-ip": "10.0.0.1" };
    expect(await seenAddress(both)).toBe("203.0.113.7");
  });

  it.each([
    ["x-forwarded-for", "10.0.0.1"],
    ["forwarded", "for=10.0.0.1"],
    ["x-client-ip", "10.0.0.1"],
    ["true-client-ip", "10.0.0.1"],
    ["cf-connecting-ip", "10.0.0.1"],
    ["x-cluster-client-ip", "10.0.0.1"],
  ])("is not changed by a forged %s", async (name, value) => {
    expect(await seenAddress({ "x-vercel-forwarded-for": "203.0.113.7", [name]: value })).toBe(
      "203.0.113.7",
    );
    expect(await seenAddress({ [name]: value })).toBeNull();
  });

  it("is unknown when no platform sets it", async () => {
    setEnvironment({});
    expect(
      await seenAddress({ "x-vercel-forwarded-for": "203.0.113.7", "x-real-ip": "1.2.3.4" }),
    ).toBe(null);
  });

  it.each([
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::FFFF:CB00:7107", "203.0.113.7"],
    ["2001:0DB8:0000::0001", "2001:db8::1"],
    [" 203.0.113.7 , 10.0.0.1", "203.0.113.7"],
  ])("%j is normalized to %s", async (stated, address) => {
    expect(await seenAddress({ "x-vercel-forwarded-for": stated })).toBe(address);
  });

  it.each(["", "unknown", "203.0.113.7:80", "<script>", "1.2.3", "7", "0x7f.1"])(
    "%j is not an address",
    async (stated) => {
      expect(await seenAddress({ "x-vercel-forwarded-for": stated })).toBeNull();
    },
  );
});

describe("limitedAddress", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80::/64"],
  ])("counts %s as %s", (address, counted) => {
    expect(addressLimitKey(address)).toBe(counted);
  });

  it("uses one key for all unknown addresses", () => {
    expect(addressLimitKey(undefined)).toBe("unknown");
  });
});

describe("addressPrefix", () => {
  it.each([
    ["203.0.113.7", "203.0.113.0/24"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    [undefined, null],
  ])("shortens %s to %s", (address, kept) => {
    expect(addressPrefix(address)).toBe(kept);
  });
});

describe("RATE_LIMIT_TRUSTED_IPS", () => {
  it("matches addresses and networks of IPv4 and IPv6", () => {
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "203.0.113.7,10.0.0.0/8,2001:db8::/32,::1" });
    const trusted = (address: string | undefined) => isTrusted(address, env());
    expect(["203.0.113.7", "10.255.0.1", "2001:db8:ff::1", "::1"].map(trusted)).toEqual(
      Array(4).fill(true),
    );
    expect(["203.0.113.8", "11.0.0.1", "2001:db9::1", "::2", undefined].map(trusted)).toEqual(
      Array(5).fill(false),
    );
  });

  it("matches no address when it is empty", () => {
    expect(isTrusted("127.0.0.1", env())).toBe(false);
  });
});
