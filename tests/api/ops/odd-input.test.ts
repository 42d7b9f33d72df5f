import { beforeAll, describe, expect, it } from "vitest";
import accessLog from "../../../api/ops/access-log.js";
import audit from "../../../api/ops/audit/index.js";
import blocks from "../../../api/ops/blocks/index.js";
import find from "../../../api/ops/find.js";
import inspections from "../../../api/ops/jwt/inspections.js";
import limitsFind from "../../../api/ops/rate-limits/find.js";
import userAudit from "../../../api/user/audit.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const environment = { VERCEL: "1", RATE_LIMIT_MAX_REQUESTS: "1000" };
useEnvironment(environment);
const stores = useStores();
let admin: OperatorPerson;
beforeAll(async () => {
  setEnvironment(environment);
  admin = await anOperator(stores, "admin");
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("a query with values that no store can process", () => {
  const nul = { pointer: expect.any(String), code: "invalid_text" };
  it.each([
    ["text with a NUL character", audit, "actor=%00", nul],
    ["text with a NUL character", audit, "action=a%00", nul],
    ["text with a NUL character", accessLog, "route=%00", nul],
    ["text with a NUL character", accessLog, "correlationId=%00", nul],
    ["a time before all records", audit, "since=0000-01-01T00:00:00Z", { pointer: "/since" }],
    ["a time before all records", accessLog, "since=0000-01-01T00:00:00Z", { pointer: "/since" }],
    [
      "a cursor with an invalid time",
      accessLog,
      `cursor=${encoded([1e300, 1])}`,
      { pointer: "/cursor" },
    ],
    [
      "a cursor with an invalid time",
      accessLog,
      `cursor=${encoded([-8.64e15, 1])}`,
      { pointer: "/cursor" },
    ],
  ] as const)("returns 422: %s", async (_, route, query, refused) => {
    const url = `http://localhost:8080${route.template}?${query}`;
    const answer = await call(route, "GET", { token: admin.token, url });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toEqual([expect.objectContaining(refused)]);
  });

  it.each(["__proto__", "constructor", "prototype"])(
    "returns 422 for a parameter named %s, as for any unknown one",
    async (name) => {
      for (const [route, token] of [
        [audit, admin.token],
        [userAudit, admin.token],
      ] as const) {
        const url = `http://localhost:8080${route.template}?${name}=1`;
        const answer = await call(route, "GET", { token, url });
        expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
        expect(answer.body.errors).toEqual([
          { pointer: `/${name}`, code: "unrecognized_keys", message: "Unknown field." },
        ]);
      }
    },
  );

  it.each(["limit=1&limit=1", "limit=1&limit=2", "more=1&more=2", "limit=1&%6cimit=1"])(
    "returns 422 for a repeated parameter: %s",
    async (query) => {
      const url = `http://localhost:8080${audit.template}?${query}`;
      const answer = await call(audit, "GET", { token: admin.token, url });
      expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
      expect(answer.body.errors).toEqual([
        expect.objectContaining({
          pointer: expect.stringMatching(/^.(limit|more)$/),
          code: "repeated",
        }),
      ]);
    },
  );

  it("accepts the largest possible cursor", async () => {
    const url = `http://localhost:8080/api/user/audit?cursor=${encoded(Number.MAX_SAFE_INTEGER)}`;
    expect((await call(userAudit, "GET", { token: admin.token, url })).status).toBe(200);
  });
});

describe("an IPv6 address with a zone", () => {
  it.each(["fe80::1%eth0.100", "fe80::1%br-0a1b2c"])(
    "is treated as the address without the zone (%s)",
    async (q) => {
      const { token } = admin;
      const block = { kind: "ip", value: q, ttlSeconds: 60, dryRun: true };
      expect((await call(find, "POST", { token, body: { q } })).status).toBe(200);
      expect((await call(limitsFind, "POST", { token, body: { of: q } })).status).toBe(200);
      expect((await operate(blocks, "POST", token, block)).body.done).toContain("fe80::1/128");
    },
  );
});

describe("inspecting a forged token", () => {
  it.each([
    { iat: 1e300, exp: 1e300 },
    { iat: -1e16 },
    { iat: 8e12, exp: 8e12 },
    { amr: [{}, null] },
  ])("returns 200 with verdict refused (%o)", async (claims) => {
    const header = encoded({ alg: "HS256", kid: "x", typ: "at+jwt" });
    const body = { token: `${header}.${encoded({ sub: "a", sid: "b", ...claims })}.x` };
    const answer = await call(inspections, "POST", { token: admin.token, body });
    expect(answer).toMatchObject({ status: 200, body: { kind: "access", verdict: "refused" } });
  });
});
