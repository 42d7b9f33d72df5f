import { describe, expect, it } from "vitest";
import audit from "../../api/user/audit.js";
import sessions from "../../api/user/sessions/index.js";
import { call } from "../support/call.js";
import { aUser } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();

const cursor = (position: unknown) => Buffer.from(JSON.stringify(position)).toString("base64url");

describe.each([
  ["/api/user/sessions", sessions],
  ["/api/user/audit", audit],
])("the list %s", (path, route) => {
  const list = async (query: string) => {
    const { accessToken: token } = await aUser();
    await stores.resetCalls();
    const answer = await call(route, "GET", { token, url: `http://localhost:8080${path}${query}` });
    return { ...answer, postgresCalls: stores.calls().postgresCalls };
  };

  it.each(["?limit=1", "?limit=100", ""])("accepts %s", async (query) => {
    expect((await list(query)).status).toBe(200);
  });

  it.each([
    ["limit", "0"],
    ["limit", "101"],
    ["limit", "-1"],
    ["limit", "1.5"],
    ["limit", "ten"],
    ["limit", ""],
    ["cursor", ""],
    ["cursor", "%00"],
    ["cursor", "not-a-cursor"],
    ["cursor", "a".repeat(300)],
    ["cursor", cursor(null)],
    ["cursor", cursor({})],
    ["cursor", cursor(["2026-01-01", "x"])],
    ["cursor", cursor([-1, "x"])],
    ["cursor", cursor([1e300, "x"])],
    ["cursor", cursor([1, "\u0000"])],
    ["cursor", cursor(-5)],
    ["cursor", cursor(1e300)],
    ["cursor", cursor("1; drop table users")],
    ["page", "2"],
  ])("returns 422 for ?%s=%s without a Postgres call", async (name, value) => {
    const answer = await list(`?${name}=${value}`);
    expect(answer).toMatchObject({ status: 422, code: "validation_failed", postgresCalls: 0 });
    expect(answer.body.errors).toMatchObject([{ pointer: `/${name}` }]);
  });
});
