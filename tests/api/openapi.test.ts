import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import openapi from "../../api/openapi.json.js";
import operatorsOpenapi from "../../api/ops/openapi.json.js";
import { call } from "../support/call.js";
import { useEnvironment } from "../support/environment.js";
import { anOperator } from "../support/operators.js";
import { aUser } from "../support/people.js";
import { useStores } from "../support/stores.js";

useEnvironment();
const stores = useStores();

const written = (path: string) => JSON.parse(readFileSync(path, "utf8"));

describe("GET /api/openapi.json", () => {
  it("returns the document of docs/ without authentication, with an ETag", async () => {
    const { status, body, headers } = await call(openapi, "GET");
    expect(status).toBe(200);
    expect(body).toEqual(written("docs/openapi.json"));
    expect(headers.get("etag")).toMatch(/^"[\w-]{43}"$/);
  });

  it("returns 304 without a body for a matching If-None-Match", async () => {
    const { headers } = await call(openapi, "GET");
    const etag = headers.get("etag") ?? "";
    const again = await call(openapi, "GET", { headers: { "if-none-match": etag } });
    expect(again).toMatchObject({ status: 304, body: undefined });
    expect(again.headers.get("etag")).toBe(etag);
  });

  it("returns the document after it could not be loaded once", async () => {
    const notLoaded: typeof openapi = (await import(`${"../../api/openapi.json.js"}?again`))
      .default;
    vi.doMock("../../docs/openapi.json", () => Promise.reject(new Error("too many open files")));
    onTestFinished(() => void vi.doUnmock("../../docs/openapi.json"));
    expect((await call(notLoaded, "GET")).status).toBe(500);
    vi.doUnmock("../../docs/openapi.json");
    expect((await call(notLoaded, "GET")).status).toBe(200);
  });

  it("contains no operator route", async () => {
    const { body } = await call(openapi, "GET");
    expect(Object.keys(body.paths).filter((path) => path.startsWith("/api/ops"))).toEqual([]);
  });
});

describe("GET /api/ops/openapi.json", () => {
  it("returns the operators' document to an operator", async () => {
    const { token } = await anOperator(stores);
    const { status, body } = await call(operatorsOpenapi, "GET", { token });
    expect(status).toBe(200);
    expect(body).toEqual(written("docs/openapi-operators.json"));
  });

  it("returns 403 to a user, and 401 without a token", async () => {
    const { accessToken: token } = await aUser();
    expect((await call(operatorsOpenapi, "GET", { token })).code).toBe("forbidden");
    expect((await call(operatorsOpenapi, "GET")).code).toBe("token_missing");
  });
});
