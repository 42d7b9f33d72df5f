import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import confirm from "../../../../api/auth/totp/confirm.js";
import totp from "../../../../api/auth/totp/index.js";
import user from "../../../../api/user/index.js";
import { issueAccessToken } from "../../../../lib/auth/token/access-token.js";
import { env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { aBoundUser, aUser, type Person } from "../../../support/people.js";
import { authenticator, enrol, freshToken } from "../../../support/second-factor.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

/** The session's token as it is ten minutes after the sign-in. */
const staleToken = ({ user, sessionId }: Person, authMethods = ["pwd"]) =>
  issueAccessToken(
    env(),
    {
      userId: user.id,
      sessionId,
      authMethods,
      authenticatedAt: new Date(Date.now() - 601_000),
    },
    new Date(),
  );

describe("GET /api/auth/totp", () => {
  it("tells of no second factor, also while one waits for its confirmation", async () => {
    const person = await aBoundUser(stores);
    const none = { enabled: false, since: null, recoveryCodesLeft: 0 };
    const read = () => call(totp, "GET", { token: person.accessToken });
    expect(await read()).toMatchObject({ status: 200, body: none });
    await call(totp, "POST", { token: person.accessToken });
    expect(await read()).toMatchObject({ status: 200, body: none });
  });

  it("tells since when there is one, and how many recovery codes are left", async () => {
    const person = await aUser();
    const { recoveryCodes } = await enrol(stores, person);
    await freshToken(person, recoveryCodes[0] ?? "");
    await stores.resetCalls();
    const { body } = await call(totp, "GET", { token: person.accessToken });
    expect(body).toEqual({ enabled: true, since: expect.any(String), recoveryCodesLeft: 9 });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });
});

describe("POST /api/auth/totp", () => {
  it("gives a secret and the URL that an authenticator app reads", async () => {
    const person = await aBoundUser(stores);
    await stores.resetCalls();
    const { status, body } = await call(totp, "POST", { token: person.accessToken });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
    expect(status).toBe(200);
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    const url = new URL(body.otpauthUrl);
    expect(url.protocol).toBe("otpauth:");
    expect(decodeURIComponent(url.pathname)).toContain(`Linguamate:${person.email}`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      issuer: "Linguamate",
      secret: body.secret,
      algorithm: "SHA1",
      digits: "6",
      period: "30",
    });
  });

  it("keeps the secret sealed", async () => {
    const person = await aBoundUser(stores);
    const { body } = await call(totp, "POST", { token: person.accessToken });
    const [row] = await stores.sql(
      "select * from second_factors where user_id = $1",
      person.user.id,
    );
    expect(row?.sealed_secret).toMatch(/^s1\.[\w-]{8}\.[\w-]+$/);
    expect(JSON.stringify(row)).not.toContain(body.secret);
  });

  it("replaces a secret that was not confirmed", async () => {
    const person = await aBoundUser(stores);
    const first = await call(totp, "POST", { token: person.accessToken });
    const second = await call(totp, "POST", { token: person.accessToken });
    expect(second.status).toBe(200);
    expect(second.body.secret).not.toBe(first.body.secret);
  });

  it("refuses when a second factor is in use", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const answer = await call(totp, "POST", { token: person.accessToken });
    expect(answer).toMatchObject({ status: 409, code: "second_factor_enrolled" });
  });

  it("refuses an account whose address is not confirmed", async () => {
    const { accessToken } = await aUser();
    const answer = await call(totp, "POST", { token: accessToken });
    expect(answer).toMatchObject({ status: 403, code: "email_unverified" });
  });

  it("asks who it is when the sign-in was more than ten minutes ago", async () => {
    const person = await aBoundUser(stores);
    const answer = await call(totp, "POST", { token: await staleToken(person) });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
  });

  it("answers a repetition under the same Idempotency-Key with the same secret", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    const first = await send();
    const again = await send();
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again).toMatchObject({ status: 200, body: first.body });
  });

  it("shows no secret again that was replaced", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    await send();
    await call(totp, "POST", { token: person.accessToken });
    expect(await send()).toMatchObject({ status: 409, code: "second_factor_changed" });
  });

  it("shows no secret again that is in use", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    const { body } = await send();
    const code = authenticator(body.secret).code();
    await call(confirm, "POST", { token: person.accessToken, body: { code } });
    expect(await send()).toMatchObject({ status: 409, code: "second_factor_changed" });
  });

  it("says 503 when Postgres is away", async () => {
    const person = await aBoundUser(stores);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await call(totp, "POST", { token: person.accessToken })).status).toBe(503);
  });
});

describe("DELETE /api/auth/totp", () => {
  it("removes the factor for whoever has just shown it; the other sessions end", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    const elsewhere = await call(login, "POST", {
      body: { email: person.email, password: person.password, otp: code() },
    });
    const token = await freshToken(person, code(1));
    await stores.resetCalls();
    expect((await call(totp, "DELETE", { token })).status).toBe(204);
    await stores.settled();
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 3 });
    expect((await call(totp, "GET", { token })).body.enabled).toBe(false);
    const there = await call(user, "GET", { token: elsewhere.body.accessToken });
    expect(there).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    const body = { email: person.email, password: person.password };
    expect((await call(login, "POST", { body })).status).toBe(200);
  });

  it("leaves no recovery code behind that would work with the next factor", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    await call(totp, "DELETE", { token: await freshToken(person, code()) });
    await enrol(stores, person);
    const body = { email: person.email, password: person.password, otp: recoveryCodes[0] };
    const answer = await call(login, "POST", { body });
    expect(answer).toMatchObject({ status: 401, code: "otp_invalid" });
  });

  it("leaves a factor that was enrolled since, when it is sent again under its key", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    const token = await freshToken(person, code());
    const remove = () =>
      call(totp, "DELETE", { token, headers: { "idempotency-key": `${person.deviceId}-off` } });
    expect((await remove()).status).toBe(204);
    await enrol(stores, person);
    const again = await remove();
    expect((await call(totp, "GET", { token })).body.enabled).toBe(true);
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("asks for the factor itself: a fresh password is not enough", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const answer = await call(totp, "DELETE", { token: person.accessToken });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
    expect((await call(totp, "GET", { token: person.accessToken })).body.enabled).toBe(true);
  });

  it("asks again when the factor was shown more than ten minutes ago", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const token = await staleToken(person, ["pwd", "otp"]);
    const answer = await call(totp, "DELETE", { token });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
  });

  it("gives up an enrolment that was not confirmed, and changes nothing where there is none", async () => {
    const person = await aBoundUser(stores);
    const token = person.accessToken;
    await call(totp, "POST", { token });
    expect((await call(totp, "DELETE", { token })).status).toBe(204);
    const rows = await stores.sql(
      "select * from second_factors where user_id = $1",
      person.user.id,
    );
    expect(rows).toEqual([]);
    expect((await call(totp, "DELETE", { token })).status).toBe(204);
  });

  it("makes an operator act as a user again", async () => {
    const person = await aUser();
    await stores.sql("update users set role = 'operator' where id = $1", person.user.id);
    const { code } = await enrol(stores, person);
    const role = () => stores.redis("HGET", `session:${person.sessionId}`, "role");
    expect(await role()).toBe("operator");
    const token = await freshToken(person, code());
    expect((await call(totp, "DELETE", { token })).status).toBe(204);
    expect(await role()).toBe("user");
    const [row] = await stores.sql(
      "select auth_methods::text from sessions where id = $1",
      person.sessionId,
    );
    expect(row?.auth_methods).toBe("{pwd}");
  });

  it("removes no operator's factor while Redis cannot be told of it", async () => {
    const person = await aUser();
    await stores.sql("update users set role = 'operator' where id = $1", person.user.id);
    const { code } = await enrol(stores, person);
    const token = await freshToken(person, code());
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await call(totp, "DELETE", { token })).status).toBe(503);
    await stores.faults.redis.set(null);
    const [row] = await stores.sql(
      "select confirmed_at from second_factors where user_id = $1",
      person.user.id,
    );
    expect(row?.confirmed_at).not.toBeNull();
  });

  it("tells the person by mail, and the audit log", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    const token = await freshToken(person, code());
    await stores.sql("delete from queue_entries");
    await call(totp, "DELETE", { token });
    const mails = await stores.sql("select payload from queue_entries");
    expect(mails.map(({ payload }) => JSON.parse(payload ?? ""))).toEqual([
      { template: "second_factor_changed", to: { userId: person.user.id } },
    ]);
    const audited = await stores.sql(
      "select actor_kind, actor_id, action, ip_prefix from audit_log where subject_id = $1 order by id",
      person.user.id,
    );
    expect(audited).toMatchObject([
      { actor_kind: "user", actor_id: person.user.id, action: "totp.enabled" },
      { actor_kind: "user", actor_id: person.user.id, action: "totp.disabled" },
    ]);
    expect(audited[0]?.ip_prefix).toMatch(/\/24$/);
  });
});
