import { describe, expect, it } from "vitest";
import * as z from "zod";
import { AppError, catalogue, type ErrorCode } from "../../../lib/errors.js";
import { type Endpoint, endpoint } from "../../../lib/http/endpoint.js";
import { Reply } from "../../../lib/http/reply.js";
import { route } from "../../../lib/http/route.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "info" });
const logs = useLogLines();

const answering = (handle: Endpoint["handle"]) =>
  route("/api/test", {
    GET: endpoint({
      summary: "Calls the handler of the test.",
      auth: "anonymous",
      limits: [],
      replies: { 200: z.unknown() },
      errors: Object.keys(catalogue) as ErrorCode[],
      handle,
    }),
  });
const throwing = (thrown: unknown) => answering(() => Promise.reject(thrown));

describe("an error response", () => {
  it.each(Object.entries(catalogue))(
    "returns %s as problem details (RFC 9457)",
    async (code, known) => {
      const thrown = new AppError(code as ErrorCode, {
        cause: new Error("inner secret"),
      });
      const { status, headers, body } = await call(throwing(thrown), "GET");
      expect(status).toBe(known.status);
      expect(headers.get("content-type")).toBe("application/problem+json");
      expect(body).toEqual({
        type: `urn:linguamate:problem:${code}`,
        title: expect.any(String),
        status: known.status,
        detail: known.message,
        code,
        correlationId: headers.get("x-correlation-id"),
        retryable: known.retryable,
      });
      expect(body.title).not.toBe("Error");
    },
  );

  it("has Retry-After", async () => {
    const thrown = new AppError("service_unavailable", { retryAfterSeconds: 5 });
    const { headers } = await call(throwing(thrown), "GET");
    expect(headers.get("retry-after")).toBe("5");
  });

  it.each([
    ["token_missing", 'Bearer realm="linguamate"'],
    ["invalid_credentials", 'Bearer realm="linguamate"'],
    ["token_invalid", 'Bearer realm="linguamate", error="invalid_token"'],
    ["token_expired", 'Bearer realm="linguamate", error="invalid_token"'],
    ["session_revoked", 'Bearer realm="linguamate", error="invalid_token"'],
    ["session_expired", 'Bearer realm="linguamate", error="invalid_token"'],
  ] as const)("has WWW-Authenticate for %s", async (code, challenge) => {
    const { headers } = await call(throwing(new AppError(code)), "GET");
    expect(headers.get("www-authenticate")).toBe(challenge);
  });
});

describe("an unexpected failure", () => {
  it.each([
    ["an error", new Error("secret detail", { cause: new Error("secret cause") })],
    ["a string", "secret detail"],
    ["undefined", undefined],
    ["an object", { secret: "detail" }],
    ["an object that looks like an AppError", { code: "rate_limited", status: 403 }],
  ])("returns 500 with only a correlation ID: %s", async (_, thrown) => {
    const { status, headers, body } = await call(throwing(thrown), "GET");
    expect(status).toBe(500);
    expect(body).toMatchObject({ code: "internal_error", retryable: false });
    expect(body.correlationId).toBe(headers.get("x-correlation-id"));
    expect(JSON.stringify(body)).not.toMatch(/secret|stack|\.ts/);
  });

  it("is logged in full under the same correlation ID", async () => {
    const { body } = await call(throwing(new TypeError("secret detail")), "GET");
    expect(logs.read("request_failed")).toMatchObject([
      {
        level: "ERROR",
        corr: { correlationId: body.correlationId },
        data: {
          route: "/api/test",
          code: "internal_error",
          error: "TypeError: secret detail",
          stack: expect.stringContaining("problem.test.ts"),
        },
      },
    ]);
    expect(logs.read("http_request")).toMatchObject([
      { level: "ERROR", data: { status: 500, code: "internal_error" } },
    ]);
  });

  it.each([
    ["cannot be serialized as JSON", async () => ({ count: 1n })],
    ["has invalid headers", async () => new Reply(200, {}, { "X-A": "a\nb" })],
  ])("is also returned for a response that %s", async (_, handle) => {
    const { status, code } = await call(answering(handle), "GET");
    expect({ status, code }).toEqual({ status: 500, code: "internal_error" });
    expect(logs.read("http_request")).toMatchObject([{ data: { status: 500 } }]);
  });

  it("in the environment is not described to the caller", async () => {
    const printed: unknown[] = [];
    const { error } = console;
    console.error = (line) => printed.push(line);
    delete process.env.JWT_SECRET;
    const { status, body, headers } = await call(
      answering(async () => ({})),
      "GET",
    );
    console.error = error;
    expect(status).toBe(500);
    expect(body).toMatchObject({
      code: "internal_error",
      correlationId: headers.get("x-correlation-id"),
    });
    expect(JSON.stringify(body)).not.toContain("JWT_SECRET");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(printed).toEqual(["Error: JWT_SECRET is required"]);
  });
});
