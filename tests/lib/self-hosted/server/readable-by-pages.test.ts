import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { useEnvironment } from "../../../support/environment.js";
import { call, route, serve } from "./server-calls.js";

const app = "https://app.linguamate.com";
useEnvironment({ CORS_ORIGIN: app, ALLOWED_HOSTS: "linguamate.com" });

let server: RunningServer;
beforeAll(async () => {
  server = await serve([
    route("/api/size", () => new Response("0")),
    route("/api/fails", () => {
      throw new Error("the secret detail");
    }),
    route("/api/hangs", () => new Promise<Response>(() => {}), 0.05),
  ]);
});
afterAll(() => server.close());

interface Sent {
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer;
}
const send = ({ path, method = "GET", headers = {}, body }: Sent, origin?: string) =>
  call(server, path, {
    method,
    headers: { ...headers, ...(origin === undefined ? {} : { origin }) },
    ...(body && { body }),
  });

const large = Buffer.alloc(4.5 * 1024 * 1024 + 1);
const errors: [number, string, Sent][] = [
  [405, "of a file", { path: "/robots.txt", method: "POST" }],
  [
    413,
    "of a large body",
    {
      path: "/api/size",
      method: "POST",
      headers: { "content-length": String(large.length) },
      body: large,
    },
  ],
  [414, "of a long URL", { path: `/api/size?${"a".repeat(14 * 1024)}` }],
  [431, "of long headers", { path: "/api/size", headers: { a: "a".repeat(32 * 1024) } }],
  [400, "of an absolute request target", { path: "http://localhost/api/size" }],
  [500, "of a function that fails", { path: "/api/fails" }],
  [504, "of a function that takes too long", { path: "/api/hangs" }],
];

describe("an error of the server itself", () => {
  it.each(errors)("can be read by a page of an allowed origin: %i %s", async (status, _, sent) => {
    const reply = await send(sent, app);
    expect(reply.status).toBe(status);
    expect(reply.headers).toMatchObject({ "access-control-allow-origin": app, vary: "Origin" });
    expect(reply.headers["access-control-expose-headers"]).toContain("X-Correlation-ID");
  });

  it.each(errors)("cannot be read by any other page: %i %s", async (status, _, sent) => {
    for (const origin of ["https://evil.example", "null", `${app}.evil.example`, undefined]) {
      const reply = await send(sent, origin);
      expect(reply.status).toBe(status);
      expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
      expect(reply.headers.vary).toBe("Origin");
    }
  });

  it("can be read by a page of the same origin, if the host is served", async () => {
    const from = (host: string) =>
      send({ path: "/robots.txt", method: "POST", headers: { host } }, `http://${host}`);
    const served = await from("api.linguamate.com");
    expect(served.headers["access-control-allow-origin"]).toBe("http://api.linguamate.com");
    const other = await from("evil.example");
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("a preflight of a request that the server itself refuses", () => {
  const preflight: Sent = {
    path: `/api/size?${"a".repeat(14 * 1024)}`,
    method: "OPTIONS",
    headers: {
      "access-control-request-method": "DELETE",
      "access-control-request-headers": "authorization",
    },
  };

  it("is answered for an allowed origin, so that the page gets the error", async () => {
    const reply = await send(preflight, app);
    expect([reply.status, reply.text]).toEqual([204, ""]);
    expect(reply.headers["access-control-allow-origin"]).toBe(app);
    expect(reply.headers["access-control-allow-methods"]).toContain("DELETE");
    expect(reply.headers["access-control-allow-headers"]).toContain("Authorization");
  });

  it("is refused for any other origin, as is OPTIONS that is no preflight", async () => {
    const refused = await send(preflight, "https://evil.example");
    expect(refused.status).toBe(414);
    expect(refused.headers["access-control-allow-methods"]).toBeUndefined();
    expect((await send({ ...preflight, headers: {} }, app)).status).toBe(414);
  });
});
