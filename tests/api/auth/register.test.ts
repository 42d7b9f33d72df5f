import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import register from "../../../api/auth/register.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const registration = (fields: Record<string, unknown> = {}) => ({
  email: `new-${randomUUID()}@example.com`,
  password,
  name: "Ada",
  acceptedTerms: true,
  ...fields,
});

describe("POST /api/auth/register", () => {
  it("makes an account that is signed in at once", async () => {
    const { status, body } = await call(register, "POST", { body: registration() });
    expect(status).toBe(201);
    expect(body).toMatchObject({ tokenType: "Bearer", expiresIn: 900 });
    expect(body.refreshExpiresIn).toBe(30 * 86_400);
    expect(body.sessionId).toMatch(/^[\w-]{22}$/);
    expect(body.refreshToken).toMatch(
      new RegExp(`^rt1\\.[\\w-]{8}\\.${body.sessionId}\\.0\\.[\\w-]{43}$`),
    );
    expect((await call(user, "GET", { token: body.accessToken })).body).toEqual(body.user);
  });

  it("answers an address that is taken like one that is not, and changes nothing for its owner", async () => {
    const owner = await aUser();
    await stores.sql(
      "update users set email = claimed_email, claimed_email = null where id = $1",
      owner.user.id,
    );
    await stores.resetCalls();
    const taken = await call(register, "POST", { body: registration({ email: owner.email }) });
    const takenCalls = stores.calls();
    await stores.resetCalls();
    const free = await call(register, "POST", { body: registration() });
    expect(taken.status).toBe(free.status);
    expect(Object.keys(taken.body)).toEqual(Object.keys(free.body));
    expect(taken.body.user).toMatchObject({ email: owner.email, emailVerified: false });
    expect([...taken.headers.keys()]).toEqual([...free.headers.keys()]);
    expect(takenCalls).toEqual(stores.calls());
    const again = await call(user, "GET", { token: owner.accessToken });
    expect(again.body).toMatchObject({ id: owner.user.id, emailVerified: true });
  });

  it("keeps argon2id hashes and never the password", async () => {
    const { body } = await call(register, "POST", { body: registration() });
    const [row] = await stores.sql("select * from users where id = $1", body.user.id);
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(JSON.stringify(row)).not.toContain(password);
  });

  it("writes the session's record and key, and costs 2 Redis round trips and 1 Postgres call", async () => {
    await stores.resetCalls();
    const deviceId = randomUUID();
    const { body } = await call(register, "POST", {
      body: registration({ device: { id: deviceId, name: "Pixel", platform: "android" } }),
      ip: "203.0.113.77",
    });
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 1 });
    const [row] = await stores.sql("select * from sessions where id = $1", body.sessionId);
    expect(row).toMatchObject({ device_name: "Pixel", ip_prefix: "203.0.113.0/24" });
    const key = `session:${body.sessionId}`;
    const fields = (await stores.redis("HMGET", key, "user", "role", "device", "amr")) as string[];
    expect(fields).toEqual([body.user.id, "user", deviceId, "pwd"]);
    expect(Number(await stores.redis("TTL", key))).toBeGreaterThan(29 * 86_400);
  });

  it.each([
    ["no address", { email: "nobody" }, "/email", "email_invalid"],
    ["a short password", { password: "short" }, "/password", "password_length"],
    ["a long password", { password: "x".repeat(129) }, "/password", "password_length"],
    ["the app's name", { password: "my Linguamate pw" }, "/password", "password_app_name"],
    ["unaccepted terms", { acceptedTerms: false }, "/acceptedTerms", "invalid_value"],
    ["an unknown field", { role: "admin" }, "/role", "unrecognized_keys"],
    ["a foreign time zone", { timeZone: "Mars/Olympus" }, "/timeZone", "custom"],
    ["no language", { nativeLanguage: "not a tag" }, "/nativeLanguage", "custom"],
  ])("refuses %s and says where", async (_, fields, pointer, code) => {
    const answer = await call(register, "POST", { body: registration(fields) });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toMatchObject([{ pointer, code }]);
  });

  it("refuses a password that holds the address", async () => {
    const body = registration({ email: "marie.curie@example.com", password: "xxMarie.Curie1" });
    const answer = await call(register, "POST", { body });
    expect(answer.body.errors).toMatchObject([{ pointer: "/password", code: "password_email" }]);
  });
});
