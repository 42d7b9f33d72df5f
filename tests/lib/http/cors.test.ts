import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import index from "../../../api/index.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";

const app = "https://app.linguamate.com";
useEnvironment({ CORS_ORIGIN: `${app},http://localhost:8081`, ALLOWED_HOSTS: "linguamate.com" });

const from = (origin: string) => ({ headers: { origin } });
const words = (header: string | null) => (header ?? "").split(", ");

describe("CORS", () => {
  it.each([app, "http://localhost:8081"])(
    "allows a page of %s to read the response",
    async (origin) => {
      const { headers } = await call(index, "GET", from(origin));
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(words(headers.get("access-control-expose-headers"))).toEqual([
        "X-Correlation-ID",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "ETag",
        "Idempotent-Replayed",
      ]);
    },
  );

  it("allows a page of the same origin to read the response", async () => {
    const { headers } = await call(index, "GET", {
      ...from("https://api.linguamate.com"),
      url: "https://api.linguamate.com/api/",
    });
    expect(headers.get("access-control-allow-origin")).toBe("https://api.linguamate.com");
  });

  it.each([
    ["null", "null"],
    ["any other origin", "https://evil.example"],
    ["an origin with the same prefix", `${app}.evil.example`],
    ["an origin with the same suffix", "https://evilapp.linguamate.com"],
    ["another scheme", "http://app.linguamate.com"],
    ["another port", `${app}:8443`],
    ["a path", `${app}/`],
    ["another letter case", "https://APP.linguamate.com"],
    ["a list", `${app}, https://evil.example`],
    ["a star", "*"],
  ])("never allows %s: %s", async (_, origin) => {
    for (const method of ["GET", "OPTIONS"] as const) {
      const { headers } = await call(index, method, from(origin));
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  it("never allows the origin of a host that is not served", async () => {
    const { status, headers } = await call(index, "GET", {
      ...from("http://evil.example"),
      url: "http://evil.example/api/",
    });
    expect(status).toBe(421);
    expect(headers.get("access-control-allow-origin")).toBeNull();
  });

  it.each([
    ["an allowed origin", from(app)],
    ["another origin", from("https://evil.example")],
    ["no origin", {}],
  ])("sends Vary: Origin, with %s", async (_, options) => {
    const { headers } = await call(index, "GET", options);
    expect(words(headers.get("vary"))).toContain("Origin");
  });

  it.each([
    ["401", user, "GET", {}, 401],
    ["405", index, "POST", {}, 405],
    ["421", index, "GET", { url: "http://evil.example/api/" }, 421],
  ] as const)("covers error responses: %s", async (_, route, method, options, expected) => {
    const { status, headers } = await call(route, method, { ...options, ...from(app) });
    expect(status).toBe(expected);
    expect(headers.get("access-control-allow-origin")).toBe(app);
    expect(words(headers.get("access-control-expose-headers"))).toContain("X-Correlation-ID");
    expect(words(headers.get("vary"))).toContain("Origin");
  });

  it("answers a preflight without a token, with the allowed methods and headers", async () => {
    const { status, headers, body } = await call(login, "OPTIONS", {
      headers: {
        origin: app,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-anything",
      },
    });
    expect(status).toBe(204);
    expect(body).toBeUndefined();
    expect(headers.get("access-control-allow-origin")).toBe(app);
    expect(words(headers.get("access-control-allow-methods"))).toEqual(["POST", "OPTIONS"]);
    expect(words(headers.get("access-control-allow-headers"))).toEqual([
      "Authorization",
      "Content-Type",
      "Idempotency-Key",
      "Rotation-Id",
      "Device-Id",
      "If-Match",
      "If-None-Match",
      "X-Correlation-ID",
      "X-App-Version",
      "Traceparent",
      "Sentry-Trace",
      "Baggage",
    ]);
    expect(headers.get("access-control-max-age")).toBe("7200");
  });
});
