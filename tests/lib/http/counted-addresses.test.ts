import { describe, expect, it } from "vitest";
import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { type CallOptions, call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ RATE_LIMIT_MAX_REQUESTS: "2", RATE_LIMIT_WINDOW_MS: "3600000" });
useStores();

const limited = route("/api/limited", {
  GET: endpoint({
    summary: "Counted by the default limit.",
    auth: "anonymous",
    limits: ["default"],
    replies: { 200: z.unknown() },
    errors: [],
    handle: async () => ({}),
  }),
});

async function statuses(...requests: CallOptions[]): Promise<number[]> {
  const found: number[] = [];
  for (const options of requests) found.push((await call(limited, "GET", options)).status);
  return found;
}

describe("requests are counted together", () => {
  it("when they have forged forwarding headers", async () => {
    const ip = "203.0.113.1";
    const forged = ["x-forwarded-for", "forwarded", "x-client-ip"].map((name, index) => ({
      ip,
      headers: { [name]: `10.0.0.${index}` },
    }));
    expect(await statuses(...forged)).toEqual([200, 200, 429]);
  });

  it("when one comes from IPv4 and one from the IPv4-mapped IPv6 address", async () => {
    const same = ["203.0.113.2", "::ffff:203.0.113.2", "::ffff:cb00:7102"];
    expect(await statuses(...same.map((ip) => ({ ip })))).toEqual([200, 200, 429]);
  });

  it("when they come from one /64 prefix, and separately otherwise", async () => {
    const one = ["2001:db8:7:7::1", "2001:db8:7:7:ffff::2", "2001:db8:7:7:1:2:3:4"];
    expect(await statuses(...one.map((ip) => ({ ip })))).toEqual([200, 200, 429]);
    expect(await statuses({ ip: "2001:db8:7:8::1" })).toEqual([200]);
  });
});
