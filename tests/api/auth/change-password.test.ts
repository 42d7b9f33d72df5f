import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import changePassword from "../../../api/auth/change-password.js";
import login from "../../../api/auth/login.js";
import user from "../../../api/user/index.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { type CallOptions, call } from "../../support/call.js";
import { costOf } from "../../support/cost.js";
import { aConfirmedUser, queuedMail } from "../../support/mailed-codes.js";
import { aBoundUser, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const newPassword = "a battery that is new";
let lastAddress = 0;
const anAddress = () => `203.0.113.${++lastAddress}`;

const change = (
  { accessToken: token }: TokenPair,
  body: Record<string, unknown> = { currentPassword: password, newPassword },
  headers: Record<string, string> = {},
) => call(changePassword, "POST", { token, body, headers });
const signIn = (email: string, password: string) =>
  call(login, "POST", { body: { email, password }, ip: anAddress() });

describe("POST /api/auth/change-password", () => {
  it("replaces the password, revokes the other sessions, and keeps the current one", async () => {
    const person = await aConfirmedUser(stores);
    const other = (await signIn(person.email, password)).body;
    expect((await change(person)).status).toBe(204);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    const ended = await call(user, "GET", { token: other.accessToken });
    expect(ended.code).toBe("session_revoked");
    expect(await stores.redis("EXISTS", `session:${other.sessionId}`)).toBe(0);
    const reasons = await stores.sql(
      "select id, revoked_reason from sessions where user_id = $1 and revoked_at is not null",
      person.user.id,
    );
    expect(reasons).toEqual([{ id: other.sessionId, revoked_reason: "password_changed" }]);
    expect((await signIn(person.email, password)).status).toBe(401);
    expect((await signIn(person.email, newPassword)).status).toBe(200);
  });

  it("notifies the owner by mail and writes an audit row", async () => {
    const person = await aConfirmedUser(stores);
    await change(person);
    expect(await queuedMail(stores, { userId: person.user.id })).toMatchObject([
      { template: "password_changed", send: true },
    ]);
    const audited = await stores.sql(
      "select actor_id from audit_log where action = 'password.changed' and subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ actor_id: person.user.id }]);
  });

  it("returns 401 for a wrong current password after one hash and changes nothing", async () => {
    const person = await aBoundUser(stores);
    const cost = await costOf(stores, () =>
      change(person, { currentPassword: "not the password", newPassword }),
    );
    // The second Postgres call is the security event, after the reply.
    expect(cost).toMatchObject({
      status: 401,
      body: { code: "invalid_credentials" },
      hashes: 1,
      calls: { redisTrips: 1, postgresCalls: 2 },
    });
    expect((await signIn(person.email, password)).status).toBe(200);
  });

  it("allows five wrong passwords per session in 15 minutes and does not count correct ones", async () => {
    const person = await aUser();
    const guess = () => change(person, { currentPassword: "not the password", newPassword });
    for (let attempt = 0; attempt < 4; attempt++) expect((await guess()).status).toBe(401);
    expect((await change(person)).status).toBe(204);
    await stores.settled();
    expect((await guess()).status).toBe(401);
    expect(await guess()).toMatchObject({ status: 429, code: "rate_limited" });
  });

  it("does not count requests that are refused before the password check", async () => {
    const person = await aUser();
    const send = (options: CallOptions) =>
      call(changePassword, "POST", { token: person.accessToken, ...options });
    const refusals: [number, CallOptions][] = [
      [415, { body: "x", headers: { "content-type": "text/plain" } }],
      [400, { body: "{" }],
      [422, { body: { currentPassword: "" } }],
    ];
    for (const [status, options] of [...refusals, ...refusals]) {
      expect((await send(options)).status).toBe(status);
      await stores.settled();
    }
    await stores.sql("update sessions set revoked_at = now() where id = $1", person.sessionId);
    const cachedSession = await stores.redis("HGETALL", `session:${person.sessionId}`);
    await stores.redis("DEL", `session:${person.sessionId}`);
    for (let turn = 0; turn < 6; turn++) {
      expect((await change(person)).code).toBe("session_revoked");
      await stores.settled();
    }
    await stores.sql("update sessions set revoked_at = null where id = $1", person.sessionId);
    await stores.redis("HSET", `session:${person.sessionId}`, ...(cachedSession as string[]));
    const guess = () => change(person, { currentPassword: "not the password", newPassword });
    for (let turn = 0; turn < 5; turn++) expect((await guess()).status).toBe(401);
    expect((await guess()).status).toBe(429);
  });

  it("validates the new password before it checks the current one", async () => {
    const person = await aUser({ email: `learner.${randomUUID()}@example.com` });
    const [localPart = ""] = (person.user.email ?? "").split("@");
    for (const newPassword of ["short", "x".repeat(129), "linguamate rocks", localPart]) {
      const refused = await change(person, { currentPassword: "not the password", newPassword });
      expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
      expect(refused.body.errors).toMatchObject([{ pointer: "/newPassword" }]);
    }
  });

  it("returns 409 password_not_set for an account without a password", async () => {
    const person = await aUser();
    await stores.sql("update users set password_hash = null where id = $1", person.user.id);
    expect(await change(person)).toMatchObject({ status: 409, code: "password_not_set" });
  });

  it("returns the first response again for a repeated Idempotency-Key", async () => {
    const person = await aUser();
    const body = { currentPassword: password, newPassword };
    const headers = { "idempotency-key": randomUUID() };
    expect((await change(person, body, headers)).status).toBe(204);
    const again = await change(person, body, headers);
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect((await change(person, body)).code).toBe("invalid_credentials");
    const mails = await queuedMail(stores, { userId: person.user.id });
    expect(mails).toHaveLength(1);
  });

  it("requires a live session and exactly two fields", async () => {
    const { accessToken: token } = await aUser();
    const body = { currentPassword: password, newPassword };
    expect((await call(changePassword, "POST", { body })).code).toBe("token_missing");
    for (const wrong of [{}, { newPassword }, { ...body, email: "a@b.example" }]) {
      expect((await call(changePassword, "POST", { token, body: wrong })).status).toBe(422);
    }
  });

  it("costs two hashes and two Postgres calls", async () => {
    const person = await aUser();
    expect(await costOf(stores, () => change(person))).toMatchObject({
      status: 204,
      hashes: 2,
      calls: { postgresCalls: 2 },
    });
  });

  it("returns 503 while Postgres is unavailable", async () => {
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await change(person)).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.postgres.set(null);
    expect((await change(person)).status).toBe(204);
  });
});
