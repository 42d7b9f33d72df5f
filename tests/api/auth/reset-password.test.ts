import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import changeEmail from "../../../api/auth/change-email/index.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import refresh from "../../../api/auth/refresh.js";
import resetPassword from "../../../api/auth/reset-password.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { costOf } from "../../support/cost.js";
import { aConfirmedUser, mailedCode, otherCode, queuedMail } from "../../support/mailed-codes.js";
import { aUser, earn, type Person, password } from "../../support/people.js";
import { enrol } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const newPassword = "a battery that is new";
let lastAddress = 0;
const anAddress = () => `203.0.113.${++lastAddress}`;

async function codeFor(email: string): Promise<string> {
  const response = await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
  expect(response.status).toBe(202);
  return mailedCode(stores, "reset_password", email);
}

interface Attempt {
  email: string;
  code: string;
  password?: string;
}
const reset = (
  { email, code, password = newPassword }: Attempt,
  { key, ip = anAddress() }: { key?: string; ip?: string } = {},
) =>
  call(resetPassword, "POST", {
    body: { email, code, password },
    ip,
    headers: key === undefined ? {} : { "idempotency-key": key },
  });
const signIn = (email: string, password: string) =>
  call(login, "POST", { body: { email, password }, ip: anAddress() });
const aKey = () => randomBytes(16).toString("base64url");

describe("POST /api/auth/reset-password", () => {
  it("sets the password and revokes all sessions", async () => {
    const person = await aConfirmedUser(stores);
    const other = (await signIn(person.email, password)).body;
    const code = await codeFor(person.email);
    expect(await reset({ email: person.email, code })).toMatchObject({ status: 204 });
    for (const { accessToken: token, refreshToken } of [person, other]) {
      expect(await call(user, "GET", { token })).toMatchObject({ code: "session_revoked" });
      const renewed = await call(refresh, "POST", { body: { refreshToken } });
      expect(renewed.code).toBe("session_revoked");
    }
    const keys = [`session:${person.sessionId}`, `session:${other.sessionId}`];
    expect(await stores.redis("EXISTS", ...keys)).toBe(0);
    const ended = await stores.sql(
      "select distinct revoked_reason from sessions where user_id = $1",
      person.user.id,
    );
    expect(ended).toEqual([{ revoked_reason: "password_reset" }]);
    expect((await signIn(person.email, password)).status).toBe(401);
    const { body } = await signIn(person.email, newPassword);
    expect(body.user).toEqual(person.user);
  });

  it("notifies the owner by mail and writes an audit row", async () => {
    const person = await aConfirmedUser(stores);
    await reset({ email: person.email, code: await codeFor(person.email) });
    const mails = await queuedMail(stores, { userId: person.user.id });
    expect(mails).toMatchObject([{ template: "password_changed", send: true }]);
    const audited = await stores.sql(
      "select actor_kind, actor_id, reason from audit_log where action = 'password.reset' and subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ actor_kind: "user", actor_id: person.user.id, reason: null }]);
  });

  it("confirms an address that was only claimed and leaves other claims unchanged", async () => {
    const first = await aUser();
    const second = await aUser({ email: first.email, password: "the other one's own" });
    const code = await codeFor(first.email);
    expect((await reset({ email: first.email, code })).status).toBe(204);
    const { body } = await signIn(first.email, newPassword);
    expect(body.user).toEqual({ ...first.user, emailVerified: true, name: "" });
    const other = await call(user, "GET", { token: second.accessToken });
    expect(other.body).toEqual(second.user);
  });

  it("clears the name and picture of a claim, and keeps those of a confirmed account", async () => {
    const [claim, bound] = [await aUser(), await aConfirmedUser(stores)];
    const profileAfterReset = async ({ email, user }: Person) => {
      await stores.sql("update users set avatar_url = 'https://x/y.png' where id = $1", user.id);
      expect((await reset({ email, code: await codeFor(email) })).status).toBe(204);
      return stores.sql("select name, avatar_url from users where id = $1", user.id);
    };
    expect(await profileAfterReset(claim)).toEqual([{ name: "", avatar_url: null }]);
    expect(await profileAfterReset(bound)).toEqual([
      { name: "Ada", avatar_url: "https://x/y.png" },
    ]);
  });

  it("removes the second factor of a claim, and keeps that of a confirmed account", async () => {
    const factor = (userId: string) =>
      stores.sql(
        `with factor as (
           insert into second_factors (user_id, id, sealed_secret, created_at)
           values ($1, gen_random_uuid(), 'x', now())
           returning user_id
         )
         insert into recovery_codes (user_id, code_hash, created_at)
         select user_id, 'x', now() from factor`,
        userId,
      );
    const left = async (userId: string) => {
      const [row] = await stores.sql(
        `select (select count(*) from second_factors where user_id = $1) as factors,
           (select count(*) from recovery_codes where user_id = $1) as codes`,
        userId,
      );
      return row;
    };
    const [claim, bound] = [await aUser(), await aConfirmedUser(stores)];
    for (const { email, user } of [claim, bound]) {
      await factor(user.id);
      expect((await reset({ email, code: await codeFor(email) })).status).toBe(204);
    }
    expect(await left(claim.user.id)).toEqual({ factors: "0", codes: "0" });
    expect(await left(bound.user.id)).toEqual({ factors: "1", codes: "1" });
  });

  it("accepts a code once", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    expect((await reset({ email, code })).status).toBe(204);
    const again = await reset({ email, code, password: "yet another one" });
    expect(again).toMatchObject({ status: 422, code: "code_invalid" });
    expect((await signIn(email, newPassword)).status).toBe(200);
  });

  it("voids the account's other codes", async () => {
    const person = await aUser();
    const code = await codeFor(person.email);
    await reset({ email: person.email, code });
    expect(await stores.sql("select 1 from mail_codes where user_id = $1", person.user.id)).toEqual(
      [],
    );
  });

  it("returns the first response again for a repeated Idempotency-Key", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    const key = aKey();
    expect((await reset({ email, code }, { key })).status).toBe(204);
    const again = await reset({ email, code }, { key });
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await reset({ email, code, password: "yet another one" }, { key });
    expect(other).toMatchObject({ status: 422, code: "idempotency_mismatch" });
  });

  it("accepts an Idempotency-Key again when its first request was refused", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    const key = aKey();
    const body = { email, code: otherCode(code) };
    expect((await reset(body, { key })).code).toBe("code_invalid");
    expect((await reset(body, { key })).code).toBe("code_invalid");
    expect((await reset({ email, code }, { key })).status).toBe(204);
  });

  it("returns 422 for an invalid password before checking the code, and counts no attempt", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    for (let attempt = 0; attempt < 6; attempt++) {
      const refused = await reset({ email, code, password: "short" });
      expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
      expect(refused.body.errors).toMatchObject([{ pointer: "/password" }]);
    }
    expect((await reset({ email, code })).status).toBe(204);
  });

  it("computes no hash for a wrong code", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    // The second call is the security event, after the reply.
    const cost = await costOf(stores, () => reset({ email, code: otherCode(code) }));
    expect(cost).toMatchObject({ status: 422, hashes: 0, calls: { postgresCalls: 2 } });
  });

  it("accepts a code after 9,999 wrong attempts, but not after 10,000", async () => {
    const tried = async (times: number) => {
      const { email } = await aConfirmedUser(stores);
      const code = await codeFor(email);
      const codes =
        "update mail_codes set attempts = 9998 where purpose = 'reset_password' and email = $1";
      await stores.sql(codes, email);
      for (let turn = 9998; turn < times; turn++) await reset({ email, code: otherCode(code) });
      return reset({ email, code });
    };
    expect((await tried(9999)).status).toBe(204);
    expect(await tried(10_000)).toMatchObject({ status: 422, code: "code_invalid" });
  });

  it("accepts the code despite wrong attempts and requests from four other IP addresses", async () => {
    const { email } = await aConfirmedUser(stores);
    const ownIp = anAddress();
    const code = await codeFor(email);
    for (let stranger = 0; stranger < 4; stranger++) {
      const ip = anAddress();
      await aUser({ email });
      for (let turn = 0; turn < 6; turn++) {
        await call(forgotPassword, "POST", { body: { email }, ip });
        await reset({ email, code: otherCode(code) }, { ip });
      }
    }
    expect((await reset({ email, code }, { ip: ownIp })).status).toBe(204);
  });

  it("voids the address's other reset codes", async () => {
    const { email } = await aConfirmedUser(stores);
    const [first, second] = [await codeFor(email), await codeFor(email)];
    expect((await reset({ email, code: first })).status).toBe(204);
    const again = await reset({ email, code: second, password: "yet another one" });
    expect(again.code).toBe("code_invalid");
  });

  it("counts wrong codes per IP address, separately from wrong passwords", async () => {
    const { email } = await aConfirmedUser(stores);
    const ip = anAddress();
    const fail = () => call(login, "POST", { body: { email, password: "not it" }, ip });
    for (let attempt = 0; attempt < 6; attempt++) await fail();
    expect((await fail()).status).toBe(429);
    const code = await codeFor(email);
    for (let attempt = 0; attempt < 4; attempt++) {
      expect((await reset({ email, code: otherCode(code) }, { ip })).status).toBe(422);
    }
    expect((await reset({ email, code }, { ip })).status).toBe(204);
    for (let attempt = 0; attempt < 5; attempt++) await reset({ email, code }, { ip });
    expect((await reset({ email, code }, { ip })).status).toBe(429);
  });

  it.each([
    ["with Redis", async () => {}],
    ["while Redis refuses", () => stores.faults.redis.set({ kind: "refuse" })],
  ])("ends the login delay caused by other people's attempts, %s", async (_, begin) => {
    const person = await aConfirmedUser(stores);
    await begin();
    for (let guess = 0; guess < 5; guess++) await signIn(person.email, "not the password");
    expect((await signIn(person.email, password)).status).toBe(429);
    const code = await codeFor(person.email);
    expect((await reset({ email: person.email, code })).status).toBe(204);
    await stores.settled();
    expect((await signIn(person.email, newPassword)).status).toBe(200);
  });

  it("ends the login delay at an IP address where the owner mistyped the password", async () => {
    const { email } = await aConfirmedUser(stores);
    const ip = anAddress();
    const signInHere = (typed: string) =>
      call(login, "POST", { body: { email, password: typed }, ip });
    for (let guess = 0; guess < 5; guess++) await signInHere("not the password");
    const code = await codeFor(email);
    expect((await reset({ email, code }, { ip })).status).toBe(204);
    await stores.settled();
    expect((await signInHere(newPassword)).status).toBe(200);
  });

  describe.each<[string, () => Promise<void>]>([
    ["with Redis", async () => {}],
    ["while Redis refuses", () => stores.faults.redis.set({ kind: "refuse" })],
  ])("exempts a later sign-in from the login delay, %s", (_, begin) => {
    const deviceId = "the-device-of-the-owner";
    const logInFrom = (email: string, typed: string, { ip = anAddress(), device = {} } = {}) =>
      call(login, "POST", { body: { email, password: typed, ...device }, ip });
    const onDevice = { device: { device: { id: deviceId } } };
    const strangersGuess = async (email: string) => {
      for (let guess = 0; guess < 5; guess++) await logInFrom(email, "not the password");
      expect((await logInFrom(email, newPassword)).status).toBe(429);
    };

    async function resetFrom(ip: string, headers: Record<string, string> = {}) {
      const person = await aConfirmedUser(stores);
      const { email } = person;
      const code = await codeFor(email);
      await begin();
      const body = { email, code, password: newPassword };
      expect((await call(resetPassword, "POST", { body, ip, headers })).status).toBe(204);
      return person;
    }

    it("once, from the IP address that reset the password", async () => {
      const ip = anAddress();
      const { email } = await resetFrom(ip);
      await strangersGuess(email);
      expect((await logInFrom(email, newPassword, { ip })).status).toBe(200);
      await stores.settled();
      await strangersGuess(email);
      expect((await logInFrom(email, newPassword, { ip })).status).toBe(429);
    });

    it("once, from the same device at any IP address", async () => {
      const { email } = await resetFrom(anAddress(), { "device-id": deviceId });
      await strangersGuess(email);
      expect((await logInFrom(email, newPassword, onDevice)).status).toBe(200);
      await stores.settled();
      await strangersGuess(email);
      expect((await logInFrom(email, newPassword, onDevice)).status).toBe(429);
    });

    it("not after one attempt with a wrong password", async () => {
      const ip = anAddress();
      const { email } = await resetFrom(ip);
      await strangersGuess(email);
      expect((await logInFrom(email, "not the password", { ip })).status).toBe(401);
      expect((await logInFrom(email, newPassword, { ip })).status).toBe(429);
    });

    it("again after the response otp_required", async () => {
      const person = await aUser();
      const app = await enrol(stores, person);
      const ip = anAddress();
      const { email } = person;
      const code = await codeFor(email);
      await begin();
      await call(resetPassword, "POST", { body: { email, code, password: newPassword }, ip });
      await strangersGuess(email);
      const response = await logInFrom(email, newPassword, { ip });
      expect(response.code).toBe("otp_required");
      await stores.settled();
      expect((await logInFrom(email, newPassword)).status).toBe(429);
      const device = { otp: app.recoveryCodes[0] };
      expect((await logInFrom(email, newPassword, { ip, device })).status).toBe(200);
    });

    it("not after ten minutes", async () => {
      const ip = anAddress();
      const { email } = await resetFrom(ip);
      await strangersGuess(email);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 10 * 60_000 });
      try {
        await logInFrom(email, "not the password");
        expect((await logInFrom(email, newPassword, { ip })).status).toBe(429);
      } finally {
        vi.useRealTimers();
      }
    });
  });

  it("gives the same response for an unknown address as for a wrong code, at the same cost", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = otherCode(await codeFor(email));
    const unknown = `nobody-${randomUUID()}@example.com`;
    await call(forgotPassword, "POST", { body: { email: unknown }, ip: anAddress() });
    const known = await costOf(stores, () => reset({ email, code }));
    expect(known).toMatchObject({ status: 422, body: { code: "code_invalid" } });
    for (const stranger of [unknown, `nobody-${randomUUID()}@example.com`, "no address"]) {
      expect(await costOf(stores, () => reset({ email: stranger, code }))).toEqual(known);
    }
  });

  it("refuses every code for an address without an account", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    const { mailCode } = await import("../../../lib/mail/codes.js");
    const { env } = await import("../../../lib/env.js");
    const [row] = await stores.sql("select id from mail_codes where email = $1", email);
    const code = mailCode(env(), row?.id ?? "");
    expect((await reset({ email, code })).code).toBe("code_invalid");
  });

  it("refuses the code when the account's address has changed", async () => {
    const person = await aConfirmedUser(stores);
    const code = await codeFor(person.email);
    await stores.sql(
      "update users set email = $2 where id = $1",
      person.user.id,
      `moved-${randomUUID()}@example.com`,
    );
    expect((await reset({ email: person.email, code })).code).toBe("code_invalid");
    const [row] = await stores.sql("select email from users where id = $1", person.user.id);
    expect(row?.email).not.toBe(person.email);
  });

  it("sets the password of the account that confirmed the address after the code was mailed", async () => {
    const [first, rival] = [await aUser(), await aUser()];
    const code = await codeFor(first.email);
    await stores.sql(
      "update users set email = $2, claimed_email = null where id = $1",
      rival.user.id,
      first.email,
    );
    expect((await reset({ email: first.email, code })).status).toBe(204);
    expect((await call(user, "GET", { token: first.accessToken })).status).toBe(200);
    expect((await signIn(first.email, newPassword)).body.user.id).toBe(rival.user.id);
  });

  it("accepts the code after the claim with the most points moved to another address", async () => {
    const owner = await aUser();
    const { email } = owner;
    const stranger = await aUser({ email });
    await earn(stores, stranger, 1000);
    const code = await codeFor(email);
    const { accessToken: token } = stranger;
    const moved = { email: `moved-${randomUUID()}@example.com` };
    expect((await call(changeEmail, "POST", { token, body: moved })).status).toBe(202);
    expect((await reset({ email, code })).status).toBe(204);
    expect((await signIn(email, newPassword)).body.user.id).toBe(owner.user.id);
  });

  it("refuses a code after ten minutes", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    const [row] = await stores.sql(
      `update mail_codes set expires_at = now() - interval '1 second' where email = $1
       returning extract(epoch from expires_at - created_at) as life`,
      email,
    );
    expect(Number(row?.life)).toBeLessThan(600);
    expect((await reset({ email, code })).code).toBe("code_invalid");
  });

  it("costs one hash, two Postgres calls and two Redis round trips", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    const cost = await costOf(stores, () => reset({ email, code }));
    expect(cost).toMatchObject({
      status: 204,
      hashes: 1,
      calls: { postgresCalls: 2, redisTrips: 4 },
    });
  });

  it("returns 503 while Postgres is unavailable and keeps the code valid", async () => {
    const { email } = await aConfirmedUser(stores);
    const code = await codeFor(email);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await reset({ email, code })).status).toBe(503);
    await stores.faults.postgres.set(null);
    expect((await reset({ email, code })).status).toBe(204);
  });

  it("revokes the sessions in the database while Redis is unavailable", async () => {
    const person = await aConfirmedUser(stores);
    const code = await codeFor(person.email);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await reset({ email: person.email, code })).status).toBe(204);
    const answer = await call(user, "GET", { token: person.accessToken });
    expect(answer.code).toBe("session_revoked");
  });
});
