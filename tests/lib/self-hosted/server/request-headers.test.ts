import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { call, route, serve } from "./server-calls.js";

const functions = [
  route("/api/headers", (request) => Response.json(Object.fromEntries(request.headers))),
];

let server: RunningServer;
beforeAll(async () => {
  server = await serve(functions);
});
afterAll(() => server.close());

describe("the platform's request headers", () => {
  const forged = {
    "x-forwarded-for": "203.0.113.9",
    "x-real-ip": "203.0.113.9",
    "X-Vercel-Forwarded-For": "203.0.113.9",
    "x-vercel-ip-country": "XX",
    "x-vercel-id": "forged",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "https",
    forwarded: "for=203.0.113.9",
  };
  const headersSeen = async (headers: Record<string, string>, target = server) =>
    JSON.parse((await call(target, "/api/headers", { headers })).text);

  it("are set by the server and never by the client", async () => {
    const seen = await headersSeen(forged);
    expect(seen).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-real-ip": "127.0.0.1",
      "x-vercel-forwarded-for": "127.0.0.1",
      "x-forwarded-host": `127.0.0.1:${server.port}`,
      "x-forwarded-proto": "http",
      "x-vercel-id": expect.stringMatching(/^self1::\w{5}-\d{13}-[0-9a-f]{12}$/),
    });
    expect(Object.keys(seen)).not.toContain("forwarded");
    expect(Object.keys(seen)).not.toContain("x-vercel-ip-country");
  });

  it("contain the client of a trusted proxy: the last address that is not a proxy", async () => {
    const proxied = await serve(functions, { trustedProxies: ["127.0.0.0/8", "10.0.0.0/8"] });
    const seen = await headersSeen(
      { ...forged, "x-forwarded-for": "203.0.113.9, 198.51.100.7, 10.1.2.3" },
      proxied,
    );
    expect(seen).toMatchObject({ "x-real-ip": "198.51.100.7", "x-forwarded-proto": "https" });
    await proxied.close();
  });
});
