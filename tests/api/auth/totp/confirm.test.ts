import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import refresh from "../../../../api/auth/refresh.js";
import confirm from "../../../../api/auth/totp/confirm.js";
import totp from "../../../../api/auth/totp/index.js";
import user from "../../../../api/user/index.js";
import { changeSessionRole } from "../../../../lib/auth/session/session-keys.js";
import { verifyAccessToken } from "../../../../lib/auth/token/access-token.js";
import { env } from "../../../../lib/env.js";
import { acting } from "../../../support/acting.js";
import { call } from "../../../support/call.js";
import { aContext } from "../../../support/context.js";
import { useLogLines } from "../../../support/log-lines.js";
import { aUser, bindEmail, type Person } from "../../../support/people.js";
import { type Authenticator, authenticator } from "../../../support/second-factor.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();
const logs = useLogLines();

async function startEnrolment(): Promise<{ person: Person; app: Authenticator }> {
  const person = await aUser();
  await bindEmail(stores, person);
  const { body } = await call(totp, "POST", { token: person.accessToken });
  return { person, app: authenticator(body.secret) };
}

const send = (person: Person, code: string, headers: Record<string, string> = {}) =>
  call(confirm, "POST", { token: person.accessToken, body: { code }, headers });

describe("POST /api/auth/totp/confirm", () => {
  it("enables the factor and returns ten recovery codes, of which only hashes are stored", async () => {
    const { person, app } = await startEnrolment();
    const { status, body } = await send(person, app.code());
    expect(status).toBe(200);
    expect(new Set(body.recoveryCodes).size).toBe(10);
    for (const code of body.recoveryCodes) {
      expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    }
    const rows = await stores.sql(
      "select code_hash from recovery_codes where user_id = $1",
      person.user.id,
    );
    expect(rows).toHaveLength(10);
    for (const { code_hash } of rows) expect(code_hash).toMatch(/^[\w-]{8}\.[\w-]{22}$/);
    const state = await call(totp, "GET", { token: person.accessToken });
    expect(state.body).toMatchObject({ enabled: true, recoveryCodesLeft: 10 });
  });

  it("accepts the code with a space and from a clock 30 seconds ahead", async () => {
    const { person, app } = await startEnrolment();
    const code = app.code(1).replace(/^.../, "$& ");
    expect((await send(person, code)).status).toBe(200);
  });

  it("returns 422 for a wrong code and for a code of another time", async () => {
    const { person, app } = await startEnrolment();
    for (const code of [app.wrongCode(), app.code(4), app.code(-4), "12345", "abcdef"]) {
      expect(await send(person, code)).toMatchObject({ status: 422, code: "code_invalid" });
    }
    const state = await call(totp, "GET", { token: person.accessToken });
    expect(state.body.enabled).toBe(false);
  });

  it("consumes the code, so that it cannot be used for a login", async () => {
    const { person, app } = await startEnrolment();
    const code = app.code();
    await send(person, code);
    const body = { email: person.email, password: person.password, otp: code };
    expect(await call(login, "POST", { body })).toMatchObject({ status: 401, code: "otp_invalid" });
  });

  it("returns 409 without an enrolment and for one already confirmed", async () => {
    const bare = await aUser();
    const none = await send(bare, "123456");
    expect(none).toMatchObject({ status: 409, code: "second_factor_missing" });
    const { person, app } = await startEnrolment();
    await send(person, app.code());
    const twice = await send(person, app.code(1));
    expect(twice).toMatchObject({ status: 409, code: "second_factor_enrolled" });
  });

  it("revokes the user's other sessions and keeps the current one", async () => {
    const { person, app } = await startEnrolment();
    const body = { email: person.email, password: person.password };
    const other = await call(login, "POST", { body });
    await send(person, app.code());
    const there = await call(user, "GET", { token: other.body.accessToken });
    expect(there).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    const [row] = await stores.sql(
      "select revoked_reason from sessions where id = $1",
      other.body.sessionId,
    );
    expect(row?.revoked_reason).toBe("second_factor_changed");
  });

  it("gives an operator the full role at once, in Redis and in Postgres", async () => {
    const { person, app } = await startEnrolment();
    await stores.sql("update users set role = 'operator' where id = $1", person.user.id);
    const role = async () => (await call(acting, "GET", { token: person.accessToken })).body;
    expect(await role()).toBe("user");
    await send(person, app.code());
    expect(await stores.redis("HGET", `session:${person.sessionId}`, "role")).toBe("operator");
    expect(await role()).toBe("operator");
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await role()).toBe("operator");
  });

  it("creates no Redis key for a session without one", async () => {
    const { person, app } = await startEnrolment();
    await stores.sql("update users set role = 'admin' where id = $1", person.user.id);
    const { sessionId } = person;
    await changeSessionRole(aContext(), "no-such-session", "admin");
    expect(await stores.redis("EXISTS", "session:no-such-session")).toBe(0);
    await stores.redis("DEL", `session:${sessionId}`);
    const answer = await send(person, app.code());
    expect(answer).toMatchObject({ status: 401, code: "session_revoked" });
    expect(await stores.redis("EXISTS", `session:${sessionId}`)).toBe(0);
  });

  it("adds the factor to the session's methods and does not change auth_time", async () => {
    const { person, app } = await startEnrolment();
    await send(person, app.code());
    const { body } = await call(refresh, "POST", { body: { refreshToken: person.refreshToken } });
    const before = await verifyAccessToken(env(), person.accessToken, new Date());
    const after = await verifyAccessToken(env(), body.accessToken, new Date());
    expect(after.authMethods).toEqual(["pwd", "otp"]);
    expect(after.authenticatedAt).toEqual(before.authenticatedAt);
  });

  it("returns the same codes for a repeated Idempotency-Key", async () => {
    const { person, app } = await startEnrolment();
    const headers = { "idempotency-key": randomUUID() };
    const code = app.code();
    const first = await send(person, code, headers);
    const again = await send(person, code, headers);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await send(person, app.code(1), headers);
    expect(other).toMatchObject({ status: 422, code: "idempotency_mismatch" });
  });

  it("logs the change without the codes", async () => {
    const { person, app } = await startEnrolment();
    const { body } = await send(person, app.code());
    expect(logs.read("second_factor_changed")).toMatchObject([
      { level: "SECURITY", data: { userId: person.user.id, operation: "totp.enabled" } },
    ]);
    const written = logs.written().join("");
    for (const secret of [app.secret, ...body.recoveryCodes]) expect(written).not.toContain(secret);
  });

  it("returns 503 and changes nothing while Postgres is unavailable", async () => {
    const { person, app } = await startEnrolment();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await send(person, app.code())).status).toBe(503);
    await stores.faults.postgres.set(null);
    expect((await send(person, app.code())).status).toBe(200);
  });

  it("costs one Redis round trip and, with the event's row, three Postgres calls", async () => {
    const { person, app } = await startEnrolment();
    await stores.resetCalls();
    await send(person, app.code());
    await stores.settled();
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 3 });
  });

  it("works without Redis", async () => {
    const { person, app } = await startEnrolment();
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await send(person, app.code())).status).toBe(200);
  });
});
