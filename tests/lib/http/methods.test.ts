import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import index from "../../../api/index.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";

useEnvironment({ LOG_LEVEL: "info" });
const logs = useLogLines();

describe("methods", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE"] as const)(
    "%s returns 405 with Allow when only GET is served",
    async (method) => {
      const answer = await call(index, method);
      expect(answer).toMatchObject({ status: 405, code: "method_not_allowed" });
      expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    },
  );

  it.each(["GET", "HEAD", "PUT"] as const)(
    "%s returns 405 when only POST is served",
    async (method) => {
      const { status, headers } = await call(login, method);
      expect(status).toBe(405);
      expect(headers.get("allow")).toBe("POST, OPTIONS");
    },
  );

  it("returns 405 for an unknown method", async () => {
    const response = await index.fetch(
      new Request("http://localhost/api/", { method: "PROPFIND" }),
    );
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
  });

  it.each(["x-http-method-override", "x-http-method", "x-method-override"])(
    "are not overridden by %s or a query parameter",
    async (name) => {
      const url = "http://localhost/api/?_method=GET";
      const response = await index.fetch(
        new Request(url, { method: "POST", headers: { [name]: "GET" } }),
      );
      expect(response.status).toBe(405);
    },
  );

  it("OPTIONS needs no token and returns the allowed methods", async () => {
    const { status, headers, body } = await call(user, "OPTIONS");
    expect(status).toBe(204);
    expect(body).toBeUndefined();
    expect(headers.get("allow")).toBe("GET, PATCH, DELETE, HEAD, OPTIONS");
    expect(headers.get("www-authenticate")).toBeNull();
  });
});

describe("HEAD", () => {
  const comparable = (headers: Headers) => {
    const { "x-correlation-id": _, ...rest } = Object.fromEntries(headers);
    return rest;
  };

  it.each([
    ["a success", index, {}],
    ["an error", user, {}],
  ] as const)("has the status and headers of GET and no body, on %s", async (_, route, options) => {
    const get = await call(route, "GET", options);
    const head = await call(route, "HEAD", options);
    expect(head.body).toBeUndefined();
    expect(head.status).toBe(get.status);
    expect(comparable(head.headers)).toEqual(comparable(get.headers));
    expect(head.headers.get("content-type")).toMatch(/json/);
  });

  it("is logged as HEAD", async () => {
    await call(index, "HEAD");
    expect(logs.read("http_request")).toMatchObject([{ req: { method: "HEAD" } }]);
  });
});
