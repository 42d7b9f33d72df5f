import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import { verifyAccessToken } from "../../../lib/auth/token/access-token.js";
import { env } from "../../../lib/env.js";
import { acting } from "../../support/acting.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aBoundUser, type Person } from "../../support/people.js";
import { enrol, resetUsedStep } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
useEnvironment();

let lastAddress = 0;
const anAddress = () => `198.51.100.${++lastAddress}`;
const signIn = ({ email, password }: Person, otp?: string, ip = anAddress()) =>
  call(login, "POST", { body: { email, password, ...(otp === undefined ? {} : { otp }) }, ip });

describe("POST /api/auth/login with a second factor", () => {
  it("returns 401 otp_required after the correct password only", async () => {
    const person = await aBoundUser(stores);
    await enrol(stores, person);
    const answer = await signIn(person);
    expect(answer).toMatchObject({ status: 401, code: "otp_required" });
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="linguamate"');
    const wrong = await signIn({ ...person, password: "not the password" }, "123456");
    expect(wrong).toMatchObject({ status: 401, code: "invalid_credentials" });
  });

  it("accepts a code of the authenticator app and records it in the token and the session", async () => {
    const person = await aBoundUser(stores);
    const { code } = await enrol(stores, person);
    const { status, body } = await signIn(person, code());
    expect(status).toBe(200);
    const claims = await verifyAccessToken(env(), body.accessToken, new Date());
    expect(claims.authMethods).toEqual(["pwd", "otp"]);
    const [row] = await stores.sql(
      "select auth_methods::text from sessions where id = $1",
      body.sessionId,
    );
    expect(row?.auth_methods).toBe("{pwd,otp}");
  });

  it("accepts each code once and no code older than the last one used", async () => {
    const person = await aBoundUser(stores);
    const { code } = await enrol(stores, person);
    const [now, next] = [code(), code(1)];
    expect((await signIn(person, next)).status).toBe(200);
    for (const used of [next, now]) {
      expect(await signIn(person, used)).toMatchObject({ status: 401, code: "otp_invalid" });
    }
  });

  it("returns 401 otp_invalid for anything that is not a code of the account", async () => {
    const person = await aBoundUser(stores);
    const { code, wrongCode } = await enrol(stores, person);
    // The test makes more attempts than the account's limit allows.
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "198.51.100.0/24" });
    const strange = [wrongCode(), code(5), "12345", "AAAA-AAAA-AAAA-AAAA", "💬", "' or 1=1 --"];
    for (const otp of strange) {
      await stores.liftLimits();
      expect(await signIn(person, otp)).toMatchObject({ status: 401, code: "otp_invalid" });
    }
    expect(logs.read("second_factor_failed")).toHaveLength(strange.length);
  });

  it("ignores a code when the account has no second factor", async () => {
    const person = await aBoundUser(stores);
    const { status, body } = await signIn(person, "123456");
    expect(status).toBe(200);
    const claims = await verifyAccessToken(env(), body.accessToken, new Date());
    expect(claims.authMethods).toEqual(["pwd"]);
  });

  it("counts wrong codes as failures, but not missing ones", async () => {
    const person = await aBoundUser(stores);
    const { wrongCode, code } = await enrol(stores, person);
    const ip = anAddress();
    for (let attempt = 0; attempt < 7; attempt++) {
      expect((await signIn(person, undefined, ip)).code).toBe("otp_required");
      await stores.settled();
    }
    for (let attempt = 0; attempt < 5; attempt++) {
      expect((await signIn(person, wrongCode(), ip)).code).toBe("otp_invalid");
    }
    expect(await signIn(person, code(), ip)).toMatchObject({ status: 429, code: "rate_limited" });
  });

  it("costs one more Postgres call with a second factor, and none without", async () => {
    const person = await aBoundUser(stores);
    const { code } = await enrol(stores, person);
    await signIn(person, code());
    await resetUsedStep(stores, person);
    await stores.resetCalls();
    expect((await signIn(person, code())).status).toBe(200);
    expect(stores.calls().postgresCalls).toBe(3);
    const other = await aBoundUser(stores);
    await signIn(other);
    await stores.resetCalls();
    await signIn(other);
    expect(stores.calls().postgresCalls).toBe(2);
  });
});

describe("an operator or an admin", () => {
  it.each(["operator", "admin"])(
    "has only the user role without a second factor: %s",
    async (role) => {
      const person = await aBoundUser(stores);
      await stores.sql("update users set role = $2 where id = $1", person.user.id, role);
      const { body } = await signIn(person);
      expect(await stores.redis("HGET", `session:${body.sessionId}`, "role")).toBe("user");
      expect((await call(acting, "GET", { token: body.accessToken })).body).toBe("user");
    },
  );

  it.each(["operator", "admin"])("has the full role with a second factor: %s", async (role) => {
    const person = await aBoundUser(stores);
    await stores.sql("update users set role = $2 where id = $1", person.user.id, role);
    const { code } = await enrol(stores, person);
    const { body } = await signIn(person, code());
    expect(await stores.redis("HGET", `session:${body.sessionId}`, "role")).toBe(role);
    expect((await call(acting, "GET", { token: body.accessToken })).body).toBe(role);
    const keys = [`session:${body.sessionId}`, `known-session:${body.sessionId}`];
    await stores.redis("DEL", ...keys);
    expect((await call(acting, "GET", { token: body.accessToken })).body).toBe(role);
  });
});
