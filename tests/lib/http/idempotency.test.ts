import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import changePassword from "../../../api/auth/change-password.js";
import guest from "../../../api/auth/guest.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import register from "../../../api/auth/register.js";
import user from "../../../api/user/index.js";
import session from "../../../api/user/sessions/[sessionId].js";
import { call } from "../../support/call.js";
import { aBoundUser, anAddress, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const registration = () => ({
  email: `learner-${randomUUID()}@example.com`,
  password,
  name: "Ada",
  acceptedTerms: true,
  device: { id: randomUUID() },
});
const rename = (token: string, key: string, name: string) =>
  call(user, "PATCH", { token, body: { name }, headers: { "idempotency-key": key } });
const isReplayed = ({ headers }: { headers: Headers }) =>
  headers.get("idempotent-replayed") === "true";

describe("an Idempotency-Key", () => {
  it("creates one account for a repeated registration", async () => {
    const body = registration();
    const headers = { "idempotency-key": randomUUID() };
    const first = await call(register, "POST", { body, headers });
    const second = await call(register, "POST", { body, headers });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect([isReplayed(first), isReplayed(second)]).toEqual([false, true]);
    const { accessToken: _, ...same } = first.body;
    expect(second.body).toMatchObject({ ...same, refreshExpiresIn: expect.any(Number) });
    expect((await call(user, "GET", { token: second.body.accessToken })).status).toBe(200);
    const [row] = await stores.sql(
      "select count(*) from users where claimed_email = $1",
      body.email,
    );
    expect(row).toEqual({ count: "1" });
  });

  it("creates one session for a repeated login, and hashes once", async () => {
    const person = await aUser();
    const body = { email: person.email, password, device: { id: person.deviceId } };
    const headers = { "idempotency-key": randomUUID() };
    const first = await call(login, "POST", { body, headers });
    const second = await call(login, "POST", { body, headers });
    expect(first.body.sessionId).not.toBe(person.sessionId);
    expect(second).toMatchObject({ status: 200, body: { sessionId: first.body.sessionId } });
    expect([isReplayed(first), isReplayed(second)]).toEqual([false, true]);
    const [row] = await stores.sql(
      "select count(*) from sessions where user_id = $1",
      person.user.id,
    );
    expect(row).toEqual({ count: "2" });
  });

  it("creates one guest and upgrades it once, although the upgrade revokes the calling session", async () => {
    const body = { device: { id: randomUUID() } };
    const headers = { "idempotency-key": randomUUID() };
    const made = await call(guest, "POST", { body, headers });
    const again = await call(guest, "POST", { body, headers });
    expect(again).toMatchObject({ status: 201, body: { sessionId: made.body.sessionId } });
    expect([isReplayed(made), isReplayed(again)]).toEqual([false, true]);
    const upgrade = { body: registration(), token: made.body.accessToken, headers };
    const first = await call(register, "POST", upgrade);
    const second = await call(register, "POST", upgrade);
    expect(first).toMatchObject({ status: 201, body: { user: { id: made.body.user.id } } });
    expect(second).toMatchObject({ status: 201, body: { sessionId: first.body.sessionId } });
    expect([isReplayed(first), isReplayed(second)]).toEqual([false, true]);
  });

  it("does not restore a session that has ended", async () => {
    const person = await aUser();
    const body = { email: person.email, password, device: { id: person.deviceId } };
    const send = () =>
      call(login, "POST", { body, headers: { "idempotency-key": `${person.deviceId}-login` } });
    const { sessionId } = (await send()).body;
    await call(session, "DELETE", {
      token: person.accessToken,
      url: `http://localhost:8080/api/user/sessions/${sessionId}`,
    });
    expect(await send()).toMatchObject({ status: 401, code: "session_revoked" });
    const past = "revoked_at = null, idle_expires_at = now() - interval '1 second'";
    await stores.sql(`update sessions set ${past} where id = $1`, sessionId);
    expect(await send()).toMatchObject({ status: 401, code: "session_expired" });
  });

  it("returns a repeated login's reserved failure once, also when the repetition fails", async () => {
    const { email } = await aBoundUser(stores);
    const ip = anAddress();
    const headers = { "idempotency-key": randomUUID() };
    const send = (given: string, headers = {}) =>
      call(login, "POST", { body: { email, password: given }, headers, ip });
    const failures = async () => {
      await stores.settled();
      const [key = ""] = (await stores.redis("KEYS", `rate:auth-failures:ip:${ip}:*`)) as string[];
      return stores.redis("GET", key);
    };
    expect((await send(password, headers)).status).toBe(200);
    await stores.settled();
    for (let turn = 0; turn < 2; turn++) expect((await send("not the password")).status).toBe(401);
    expect(await failures()).toBe("2");
    const isResuming = (body: unknown) =>
      /from .{1,9}sessions.{1,9}inner/.test(JSON.stringify(body));
    await stores.faults.postgres.set({ kind: "reset", match: isResuming });
    for (let turn = 0; turn < 3; turn++) {
      expect((await send(password, headers)).status).toBe(503);
      expect(await failures()).toBe("2");
    }
  });

  it("repeating a sign-in whose session has ended does not count as a failed sign-in", async () => {
    const { email } = await aBoundUser(stores);
    const ip = anAddress();
    const headers = { "idempotency-key": randomUUID() };
    const send = () => call(login, "POST", { body: { email, password }, headers, ip });
    const { body: pair } = await send();
    await call(logout, "POST", { token: pair.accessToken });
    expect(await send()).toMatchObject({ status: 401, code: "session_revoked" });
    await stores.settled();
    const events = await stores.sql("select event from security_events where ip = $1", ip);
    expect(events.map(({ event }) => event)).not.toContain("login_failed");
  });

  it("is not used up by a failed sign-in", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": randomUUID() };
    const send = (given: string) =>
      call(login, "POST", {
        body: { email: person.email, password: given, device: { id: person.deviceId } },
        headers,
        ip: "198.51.100.91",
      });
    expect(await send("not the password")).toMatchObject({ code: "invalid_credentials" });
    const right = await send(password);
    expect(right.status).toBe(200);
    expect(isReplayed(right)).toBe(false);
  });

  it("returns 422 for another body, method or path", async () => {
    const person = await aUser();
    const headers = { "idempotency-key": randomUUID() };
    const body = { email: person.email, password, device: { id: person.deviceId } };
    await call(login, "POST", { body, headers });
    const other = { ...body, password: "another password" };
    const mismatches = [
      await call(login, "POST", { body: other, headers, ip: "198.51.100.92" }),
      await call(register, "POST", { body: registration(), headers }),
    ];
    for (const answer of mismatches) {
      expect(answer).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    }
  });

  it("is separate for each user", async () => {
    const [ada, grace] = [await aUser(), await aUser()];
    const first = await rename(ada.accessToken, "the-same-key", "Ada L.");
    const second = await rename(grace.accessToken, "the-same-key", "Grace H.");
    expect(first.body).toMatchObject({ id: ada.user.id, name: "Ada L." });
    expect(second.body).toMatchObject({ id: grace.user.id, name: "Grace H." });
    expect([isReplayed(first), isReplayed(second)]).toEqual([false, false]);
  });

  it("may be quoted, as a structured field", async () => {
    const { accessToken } = await aUser();
    await rename(accessToken, '"a-quoted-key"', "Grace");
    expect(isReplayed(await rename(accessToken, "a-quoted-key", "Grace"))).toBe(true);
  });

  it.each(["aGVsbG8gd29ybGQhISE/+A==", "words/42#answer", "{a}~b|c=d;e"])(
    "may be %j",
    async (key) => {
      const { accessToken } = await aUser();
      expect((await rename(accessToken, key, "Grace")).status).toBe(200);
      expect(isReplayed(await rename(accessToken, `"${key}"`, "Grace"))).toBe(true);
    },
  );

  it.each(["", "short", "a".repeat(129), "with space", '"unclosed-quote', "two-keys,at-once"])(
    "returns 400 for %j",
    async (key) => {
      const { accessToken } = await aUser();
      const answer = await rename(accessToken, key, "Grace");
      expect(answer).toMatchObject({ status: 400, code: "idempotency_key_invalid" });
    },
  );

  it("must be at least 22 characters long without a session", async () => {
    const headers = { "idempotency-key": "a".repeat(21) };
    const answer = await call(register, "POST", { body: registration(), headers });
    expect(answer).toMatchObject({ status: 400, code: "idempotency_key_invalid" });
  });

  it("stores neither token nor body, and adds one Postgres call", async () => {
    const body = registration();
    const key = randomUUID();
    await stores.resetCalls();
    const { body: pair } = await call(register, "POST", {
      body,
      headers: { "idempotency-key": key },
    });
    expect(stores.calls().postgresCalls).toBe(2);
    const rows = await stores.sql(
      "select * from idempotency_keys where result_id = $1",
      pair.sessionId,
    );
    expect(rows).toEqual([
      {
        scope: "anonymous",
        key: expect.stringMatching(/^[\w-]{43}$/),
        body_hash: expect.stringMatching(/^[\w-]{22}$/),
        result_id: pair.sessionId,
        created_at: expect.any(String),
      },
    ]);
    expect(JSON.stringify(rows)).not.toContain(key);
  });

  it("returns no session after a password change or for a suspended account", async () => {
    const person = await aBoundUser(stores);
    const body = { email: person.email, password };
    const headers = { "idempotency-key": randomUUID() };
    const again = () => call(login, "POST", { body, headers });
    const { body: pair } = await again();
    expect((await again()).body.sessionId).toBe(pair.sessionId);
    await stores.sql("update users set suspended_at = now() where id = $1", person.user.id);
    expect(await again()).toMatchObject({ status: 401, code: "session_revoked" });
    await stores.sql("update users set suspended_at = null where id = $1", person.user.id);
    const changed = await call(changePassword, "POST", {
      token: pair.accessToken,
      body: { currentPassword: password, newPassword: "a battery that is new" },
    });
    expect(changed.status).toBe(204);
    expect(await again()).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await call(user, "GET", { token: pair.accessToken })).status).toBe(200);
  });
});
