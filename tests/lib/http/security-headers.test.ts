import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import livez from "../../../api/livez.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";

useEnvironment();

const replies = [
  ["a success", index, "GET", 200],
  ["a HEAD", index, "HEAD", 200],
  ["a preflight", index, "OPTIONS", 204],
  ["liveness", livez, "GET", 200],
  ["a refused token", user, "GET", 401],
  ["a refused method", index, "DELETE", 405],
] as const;

describe("security headers", () => {
  it.each(replies)("are on %s", async (_, route, method, expected) => {
    const { status, headers } = await call(route, method);
    expect(status).toBe(expected);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
    });
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("server")).toBeNull();
  });

  it.each(replies)("include HSTS in production, on %s", async (_, route, method) => {
    setEnvironment({ NODE_ENV: "production" });
    const { headers } = await call(route, method);
    expect(headers.get("strict-transport-security")).toBe(
      "max-age=63072000; includeSubDomains; preload",
    );
  });

  it.each(["development", "test"])("do not include HSTS in %s", async (name) => {
    setEnvironment({ NODE_ENV: name });
    const { headers } = await call(index, "GET");
    expect(headers.get("strict-transport-security")).toBeNull();
  });
});
