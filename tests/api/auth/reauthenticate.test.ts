import { describe, expect, it } from "vitest";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import refresh from "../../../api/auth/refresh.js";
import totp from "../../../api/auth/totp/index.js";
import { issueAccessToken, verifyAccessToken } from "../../../lib/auth/token/access-token.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { aUser, bindEmail, type Person, password } from "../../support/people.js";
import { enrol, freshToken } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const hourMs = 3_600_000;

/** An access token whose authentication was an hour ago. */
async function anHourLater({ user, sessionId }: Person): Promise<string> {
  const authenticatedAt = new Date(Date.now() - hourMs);
  const claims = { userId: user.id, sessionId, authenticatedAt, authMethods: ["pwd"] };
  return issueAccessToken(env(), claims, new Date());
}

const send = (token: string, body: unknown) => call(reauthenticate, "POST", { token, body });
const read = (token: string) => verifyAccessToken(env(), token, new Date());

async function aGuest(): Promise<Person> {
  const person = await aUser();
  await stores.sql(
    "update users set is_guest = true, password_hash = null, claimed_email = null where id = $1",
    person.user.id,
  );
  await stores.sql("update sessions set auth_methods = '{}' where id = $1", person.sessionId);
  return person;
}

describe("POST /api/auth/reauthenticate", () => {
  it("returns a token of the same session with a new authentication time", async () => {
    const person = await aUser();
    const token = await anHourLater(person);
    const { status, body } = await send(token, { password });
    expect(status).toBe(200);
    expect(body.expiresIn).toBe(900);
    const claims = await read(body.accessToken);
    expect(claims).toMatchObject({ sessionId: person.sessionId, authMethods: ["pwd"] });
    expect(Date.now() - claims.authenticatedAt.getTime()).toBeLessThan(60_000);
  });

  it("allows an action that requires recent authentication", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const token = await anHourLater(person);
    const before = await call(totp, "POST", { token });
    expect(before).toMatchObject({ status: 403, code: "reauth_required" });
    const { body } = await send(token, { password });
    expect((await call(totp, "POST", { token: body.accessToken })).status).toBe(200);
  });

  it("returns 401 for a wrong password, and for a code without a second factor", async () => {
    const person = await aUser();
    const wrong = await send(person.accessToken, { password: "not the password" });
    expect(wrong).toMatchObject({ status: 401, code: "invalid_credentials" });
    expect(wrong.headers.get("www-authenticate")).toBe('Bearer realm="linguamate"');
    const code = await send(person.accessToken, { otp: "123456" });
    expect(code).toMatchObject({ status: 401, code: "otp_invalid" });
  });

  it("returns 422 for an empty body", async () => {
    const { accessToken } = await aUser();
    const answer = await send(accessToken, {});
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
  });

  it("accepts no body from a guest, and asks others for their credentials", async () => {
    const [ofGuest, other] = [await anHourLater(await aGuest()), await anHourLater(await aUser())];
    expect((await call(reauthenticate, "POST", { token: ofGuest })).status).toBe(200);
    const refused = await call(reauthenticate, "POST", { token: other });
    expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
  });

  it("accepts an empty body from a guest, who has no credentials", async () => {
    const person = await aGuest();
    const { status, body } = await send(await anHourLater(person), {});
    expect(status).toBe(200);
    const claims = await read(body.accessToken);
    expect(claims.authMethods).toEqual([]);
    expect(Date.now() - claims.authenticatedAt.getTime()).toBeLessThan(60_000);
  });

  it.each([
    ["session_revoked", "was revoked", "update sessions set revoked_at = now() where user_id = $1"],
    [
      "session_revoked",
      "belongs to a suspended account",
      "update users set suspended_at = now() where id = $1",
    ],
    [
      "session_revoked",
      "belongs to an account pending deletion",
      "update users set purge_at = now() where id = $1",
    ],
    [
      "session_expired",
      "reached its idle timeout",
      "update sessions set idle_expires_at = now() - interval '1 second' where user_id = $1",
    ],
    [
      "session_expired",
      "reached its absolute timeout",
      "update sessions set expires_at = now() - interval '1 second' where user_id = $1",
    ],
  ])("returns %s for a session with a cached key that %s", async (code, _, ending) => {
    const person = await aGuest();
    await stores.sql(ending, person.user.id);
    expect(await send(person.accessToken, {})).toMatchObject({ status: 401, code });
  });

  it("returns session_revoked after all sessions were revoked, before Redis is updated", async () => {
    const person = await aGuest();
    await stores.sql(
      "update security_settings set revoke_all_before = now() + interval '1 second'",
    );
    const answer = await send(person.accessToken, {});
    await stores.sql("update security_settings set revoke_all_before = to_timestamp(0)");
    expect(answer).toMatchObject({ status: 401, code: "session_revoked" });
  });

  describe("with a second factor", () => {
    it("accepts the code alone, or together with the password", async () => {
      const person = await aUser();
      const { code } = await enrol(stores, person);
      const byCode = await send(person.accessToken, { otp: code() });
      expect((await read(byCode.body.accessToken)).authMethods).toEqual(["pwd", "otp"]);
      const byBoth = await send(person.accessToken, { password, otp: code(1) });
      expect(byBoth.status).toBe(200);
    });

    it("accepts a recovery code once", async () => {
      const person = await aUser();
      const [otp] = (await enrol(stores, person)).recoveryCodes;
      expect((await send(person.accessToken, { otp })).status).toBe(200);
      const again = await send(person.accessToken, { otp });
      expect(again).toMatchObject({ status: 401, code: "otp_invalid" });
    });

    it("returns 401 otp_required for the password alone", async () => {
      const person = await aUser();
      await enrol(stores, person);
      const answer = await send(person.accessToken, { password });
      expect(answer).toMatchObject({ status: 401, code: "otp_required" });
    });

    it("does not consume a code when the password is wrong", async () => {
      const person = await aUser();
      const { code } = await enrol(stores, person);
      const otp = code();
      const wrong = await send(person.accessToken, { password: "not the password", otp });
      expect(wrong).toMatchObject({ status: 401, code: "invalid_credentials" });
      expect((await send(person.accessToken, { otp })).status).toBe(200);
    });

    it("accepts a code once", async () => {
      const person = await aUser();
      const { code } = await enrol(stores, person);
      const otp = code();
      expect((await send(person.accessToken, { otp })).status).toBe(200);
      const again = await send(person.accessToken, { otp });
      expect(again).toMatchObject({ status: 401, code: "otp_invalid" });
    });
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const { accessToken } = await aUser();
    await stores.resetCalls();
    await send(accessToken, { password });
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("does not affect a refresh, which uses the session's own methods and auth_time", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    await stores.sql(
      "update sessions set auth_methods = '{pwd}', authenticated_at = authenticated_at - interval '1 hour' where id = $1",
      person.sessionId,
    );
    const fresh = await read(await freshToken(person, code()));
    expect(fresh.authMethods).toEqual(["pwd", "otp"]);
    const { body } = await call(refresh, "POST", { body: { refreshToken: person.refreshToken } });
    const refreshed = await read(body.accessToken);
    expect(refreshed.authMethods).toEqual(["pwd"]);
    expect(fresh.authenticatedAt.getTime() - refreshed.authenticatedAt.getTime()).toBeGreaterThan(
      hourMs / 2,
    );
  });

  it("does not keep a removed factor among the methods", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    const token = await freshToken(person, code());
    await call(totp, "DELETE", { token });
    const { body } = await send(token, { password });
    expect((await read(body.accessToken)).authMethods).toEqual(["pwd"]);
  });

  describe("limits", () => {
    it("allows five failures of one session from any addresses, then returns 429 with Retry-After", async () => {
      const { accessToken } = await aUser();
      const fail = (host: number) =>
        call(reauthenticate, "POST", {
          token: accessToken,
          body: { password: "not the password" },
          ip: `203.0.113.${host}`,
        });
      for (const host of [1, 2, 3, 4, 5]) expect((await fail(host)).status).toBe(401);
      const refused = await fail(6);
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    });

    it("counts wrong codes, but neither missing codes nor successes", async () => {
      const person = await aUser();
      const { wrongCode } = await enrol(stores, person);
      for (let attempt = 0; attempt < 7; attempt++) {
        expect((await send(person.accessToken, { password })).code).toBe("otp_required");
        await stores.settled();
      }
      for (let attempt = 0; attempt < 5; attempt++) {
        expect((await send(person.accessToken, { otp: wrongCode() })).code).toBe("otp_invalid");
      }
      expect((await send(person.accessToken, { otp: wrongCode() })).status).toBe(429);
      const other = await aUser();
      for (let attempt = 0; attempt < 7; attempt++) {
        expect((await send(other.accessToken, { password })).status).toBe(200);
        await stores.settled();
      }
    });

    it("applies the same limits without Redis", async () => {
      const { accessToken } = await aUser();
      await stores.faults.redis.set({ kind: "refuse" });
      const fail = () => send(accessToken, { password: "not the password" });
      for (let attempt = 0; attempt < 5; attempt++) expect((await fail()).status).toBe(401);
      expect((await fail()).status).toBe(429);
    });
  });

  it("returns 503 while Postgres is unavailable and counts no failure", async () => {
    const { accessToken } = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let attempt = 0; attempt < 6; attempt++) {
      expect((await send(accessToken, { password })).status).toBe(503);
      await stores.settled();
    }
  });
});
