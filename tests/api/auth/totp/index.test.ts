import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import confirm from "../../../../api/auth/totp/confirm.js";
import totp from "../../../../api/auth/totp/index.js";
import user from "../../../../api/user/index.js";
import { issueAccessToken } from "../../../../lib/auth/token/access-token.js";
import { env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { demoteOperators } from "../../../support/operators.js";
import { aBoundUser, aUser, type Person } from "../../../support/people.js";
import { authenticator, enrol, freshToken } from "../../../support/second-factor.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

/** A token of the session ten minutes after the sign-in. */
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
  it("returns enabled: false, also while an enrolment is unconfirmed", async () => {
    const person = await aBoundUser(stores);
    const none = { enabled: false, since: null, recoveryCodesLeft: 0 };
    const read = () => call(totp, "GET", { token: person.accessToken });
    expect(await read()).toMatchObject({ status: 200, body: none });
    await call(totp, "POST", { token: person.accessToken });
    expect(await read()).toMatchObject({ status: 200, body: none });
  });

  it("returns the time of enrolment and the number of unused recovery codes", async () => {
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
  it("returns a secret and an otpauth URL for an authenticator app", async () => {
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

  it("stores the secret encrypted", async () => {
    const person = await aBoundUser(stores);
    const { body } = await call(totp, "POST", { token: person.accessToken });
    const [row] = await stores.sql(
      "select * from second_factors where user_id = $1",
      person.user.id,
    );
    expect(row?.sealed_secret).toMatch(/^s1\.[\w-]{8}\.[\w-]+$/);
    expect(JSON.stringify(row)).not.toContain(body.secret);
  });

  it("replaces an unconfirmed secret", async () => {
    const person = await aBoundUser(stores);
    const first = await call(totp, "POST", { token: person.accessToken });
    const second = await call(totp, "POST", { token: person.accessToken });
    expect(second.status).toBe(200);
    expect(second.body.secret).not.toBe(first.body.secret);
  });

  it("returns 409 when a second factor is already enabled", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const answer = await call(totp, "POST", { token: person.accessToken });
    expect(answer).toMatchObject({ status: 409, code: "second_factor_enrolled" });
  });

  it("returns 403 for an account without a confirmed address", async () => {
    const { accessToken } = await aUser();
    const answer = await call(totp, "POST", { token: accessToken });
    expect(answer).toMatchObject({ status: 403, code: "email_unverified" });
  });

  it("returns 403 reauth_required more than ten minutes after the sign-in", async () => {
    const person = await aBoundUser(stores);
    const answer = await call(totp, "POST", { token: await staleToken(person) });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
  });

  it("returns the same secret for a repeated Idempotency-Key", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    const first = await send();
    const again = await send();
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again).toMatchObject({ status: 200, body: first.body });
  });

  it("does not return a replaced secret again", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    await send();
    await call(totp, "POST", { token: person.accessToken });
    expect(await send()).toMatchObject({ status: 409, code: "second_factor_changed" });
  });

  it("does not return a confirmed secret again", async () => {
    const person = await aBoundUser(stores);
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(totp, "POST", { token: person.accessToken, headers });
    const { body } = await send();
    const code = authenticator(body.secret).code();
    await call(confirm, "POST", { token: person.accessToken, body: { code } });
    expect(await send()).toMatchObject({ status: 409, code: "second_factor_changed" });
  });

  it("returns 503 while Postgres is unavailable", async () => {
    const person = await aBoundUser(stores);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await call(totp, "POST", { token: person.accessToken })).status).toBe(503);
  });
});

describe("DELETE /api/auth/totp", () => {
  it("removes the factor after it was just used, and revokes the other sessions", async () => {
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

  it("deletes the recovery codes, so that they do not work with a later factor", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    await call(totp, "DELETE", { token: await freshToken(person, code()) });
    await enrol(stores, person);
    const body = { email: person.email, password: person.password, otp: recoveryCodes[0] };
    const answer = await call(login, "POST", { body });
    expect(answer).toMatchObject({ status: 401, code: "otp_invalid" });
  });

  it("keeps a factor enrolled later when the request is repeated with the same Idempotency-Key", async () => {
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

  it("returns 403 reauth_required for a recent password without the factor", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const answer = await call(totp, "DELETE", { token: person.accessToken });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
    expect((await call(totp, "GET", { token: person.accessToken })).body.enabled).toBe(true);
  });

  it("returns 403 reauth_required when the factor was used more than ten minutes ago", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const token = await staleToken(person, ["pwd", "otp"]);
    const answer = await call(totp, "DELETE", { token });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
  });

  it("deletes an unconfirmed enrolment, and returns 204 without one", async () => {
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

  it("reduces an operator to the user role", async () => {
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

  it("returns 409 last_admin for the last admin, whose session keeps its role", async () => {
    await demoteOperators(stores);
    const person = await aUser();
    await stores.sql("update users set role = 'admin' where id = $1", person.user.id);
    const { code } = await enrol(stores, person);
    const token = await freshToken(person, code());
    const remove = () => call(totp, "DELETE", { token });
    expect(await remove()).toMatchObject({ status: 409, code: "last_admin" });
    expect(await stores.redis("HGET", `session:${person.sessionId}`, "role")).toBe("admin");
    const other = await aUser();
    await stores.sql("update users set role = 'admin' where id = $1", other.user.id);
    expect((await remove()).status).toBe(204);
    await demoteOperators(stores);
  });

  it("returns 503 and keeps an operator's factor while Redis is unavailable", async () => {
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

  it("notifies the user by mail and writes an audit row", async () => {
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
