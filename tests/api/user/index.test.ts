import { describe, expect, it } from "vitest";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

describe("GET /api/user", () => {
  it("answers the signed-in person's account", async () => {
    const person = await aUser({
      name: "Grace",
      timeZone: "Europe/Madrid",
      targetLanguage: "es-mx",
    });
    const { status, body, headers } = await call(user, "GET", { token: person.accessToken });
    expect(status).toBe(200);
    expect(body).toEqual(person.user);
    expect(body).toMatchObject({
      email: person.email,
      emailVerified: false,
      name: "Grace",
      timeZone: "Europe/Madrid",
      targetLanguage: "es-MX",
    });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  it("costs one Redis round trip of at most 6 billed commands and one Postgres call", async () => {
    const { accessToken } = await aUser();
    await call(user, "GET", { token: accessToken });
    await stores.resetCalls();
    await call(user, "GET", { token: accessToken });
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 5, postgresCalls: 1 });
  });

  it.each([
    ["none", undefined, "token_missing"],
    ["garbage", "garbage", "token_invalid"],
    ["another scheme", "Basic YTpi", "token_invalid"],
  ])("refuses a bad token (%s) without any I/O before the reply", async (_, header, code) => {
    await stores.resetCalls();
    const headers: Record<string, string> = header ? { authorization: header } : {};
    const pending = call(user, "GET", { headers });
    const answer = await pending;
    const before = stores.calls();
    expect(answer).toMatchObject({ status: 401, code });
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    expect(before).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
  });
});
