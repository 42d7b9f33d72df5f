import { randomUUID } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import logout from "../../../api/auth/logout.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import user from "../../../api/user/index.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import type { TokenPair } from "../../../lib/auth/token/token-pair.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { aGuest, aUser, bindEmail, password } from "../../support/people.js";
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
  it("creates an account and signs it in", async () => {
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

  it("changes nothing for the account that already has the address", async () => {
    const owner = await aUser();
    await bindEmail(stores, owner);
    const taken = await call(register, "POST", { body: registration({ email: owner.email }) });
    expect(taken.body.user).toMatchObject({ email: owner.email, emailVerified: false });
    const again = await call(user, "GET", { token: owner.accessToken });
    expect(again.body).toMatchObject({ id: owner.user.id, emailVerified: true });
  });

  it("queues a code for a free address, and a notice to the owner for a taken one", async () => {
    const owner = await aUser();
    await bindEmail(stores, owner);
    const [free, taken] = [registration(), registration({ email: owner.email })];
    for (const [body, template] of [
      [free, "verify_email"],
      [taken, "address_taken"],
    ] as const) {
      const { user: claimant } = (await call(register, "POST", { body })).body;
      const [code] = await stores.sql(
        "select * from mail_codes where purpose = 'verify_email' and subject = $1",
        claimant.id,
      );
      expect(code).toMatchObject({
        email: body.email,
        user_id: template === "verify_email" ? claimant.id : null,
      });
      const mails = await stores.sql(
        "select * from queue_entries where payload->>'codeId' = $1",
        code?.id ?? null,
      );
      expect(mails).toMatchObject([{ kind: "mail", send: "t" }]);
      expect(JSON.parse(mails[0]?.payload ?? "")).toMatchObject({
        template,
        to: { email: body.email },
      });
    }
  });

  it("stores an argon2id hash and never the password", async () => {
    const { body } = await call(register, "POST", { body: registration() });
    const [row] = await stores.sql("select * from users where id = $1", body.user.id);
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(JSON.stringify(row)).not.toContain(password);
  });

  it("creates the session in Postgres and Redis, with 2 Redis round trips and 1 Postgres call", async () => {
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
    const fields = (await stores.redis("HMGET", key, "user", "role")) as string[];
    expect(fields).toEqual([body.user.id, "user"]);
    expect(await stores.redis("GET", `known-session:${body.sessionId}`)).toBe("live");
    expect(Number(await stores.redis("TTL", key))).toBeGreaterThan(179 * 86_400);
  });

  it.each([
    ["an invalid address", { email: "nobody" }, "/email", "email_invalid"],
    ["a short password", { password: "short" }, "/password", "password_length"],
    ["a long password", { password: "x".repeat(129) }, "/password", "password_length"],
    ["the app's name", { password: "my Linguamate pw" }, "/password", "password_app_name"],
    ["unaccepted terms", { acceptedTerms: false }, "/acceptedTerms", "invalid_value"],
    ["an unknown field", { role: "admin" }, "/role", "unrecognized_keys"],
    ["an unknown time zone", { timeZone: "Mars/Olympus" }, "/timeZone", "custom"],
    ["an invalid language tag", { nativeLanguage: "not a tag" }, "/nativeLanguage", "custom"],
  ])("returns 422 for %s with a pointer to the field", async (_, fields, pointer, code) => {
    const answer = await call(register, "POST", { body: registration(fields) });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors).toMatchObject([{ pointer, code }]);
  });

  it("returns 422 for a password that contains the address", async () => {
    const body = registration({ email: "marie.curie@example.com", password: "xxMarie.Curie1" });
    const answer = await call(register, "POST", { body });
    expect(answer.body.errors).toMatchObject([{ pointer: "/password", code: "password_email" }]);
  });
});

describe("POST /api/auth/register with a guest's access token", () => {
  const accounts = (email: string) =>
    stores.sql("select * from users where claimed_email = $1", email);
  const oldToken = ({ user: { id: userId }, sessionId }: TokenPair) => {
    const authenticatedAt = new Date(Date.now() - 3_600_000);
    const session = { userId, sessionId, authenticatedAt, authMethods: [] };
    return issueAccessToken(env(), session, authenticatedAt);
  };

  it("adds the address and the name to the guest's account and keeps its other data", async () => {
    const guest = await aGuest({ timeZone: "Europe/Madrid", nativeLanguage: "es" });
    const body = registration({ nativeLanguage: "ca" });
    const upgraded = await call(register, "POST", { body, token: guest.accessToken });
    expect(upgraded.status).toBe(201);
    expect(upgraded.body.user).toEqual({
      ...guest.user,
      email: body.email,
      name: "Ada",
      nativeLanguage: "ca",
    });
    expect(upgraded.body.refreshExpiresIn).toBe(30 * 86_400);
    const [row] = await accounts(body.email);
    expect(row).toMatchObject({ id: guest.user.id, is_guest: "f", time_zone: "Europe/Madrid" });
    expect(row?.accepted_terms_at).not.toBeNull();
    const read = await call(user, "GET", { token: upgraded.body.accessToken });
    expect(read.body).toEqual(upgraded.body.user);
    const [code] = await stores.sql("select * from mail_codes where subject = $1", guest.user.id);
    expect(code).toMatchObject({ purpose: "verify_email", user_id: guest.user.id });
  });

  it("returns 401 when a concurrent request has upgraded the guest while Redis is unavailable", async () => {
    const guest = await aGuest();
    const [first, second] = [registration(), registration()];
    await stores.faults.redis.set({ kind: "refuse" });
    const asksOfSession = (body: unknown) => JSON.stringify(body).includes("authenticated_at");
    await stores.faults.postgres.reset();
    await stores.faults.postgres.set({ kind: "latency", ms: 1000, times: 1, match: asksOfSession });
    const overtaken = call(register, "POST", { body: first, token: guest.accessToken });
    await vi.waitFor(() => {
      expect(stores.faults.postgres.calls.some(({ body }) => asksOfSession(body))).toBe(true);
    });
    const upgraded = await call(register, "POST", { body: second, token: guest.accessToken });
    expect(upgraded.body.user.id).toBe(guest.user.id);
    expect(await overtaken).toMatchObject({ status: 401, code: "session_revoked" });
    const made = await stores.sql("select from users where claimed_email = $1", first.email);
    expect(made).toEqual([]);
  });

  describe("with a time zone", () => {
    const upgrade = ({ accessToken: token }: TokenPair, timeZone: string) =>
      call(register, "POST", { body: registration({ timeZone }), token });
    const zones = async ({ user: { id } }: TokenPair) => {
      const [row] = await stores.sql(
        `select time_zone, previous_time_zone, time_zone_changed_at,
          to_char(time_zone_from at time zone previous_time_zone, 'HH24:MI:SS') as from_time
         from users where id = $1`,
        id,
      );
      return row;
    };

    it("applies the zone from the guest's next local midnight, at most once in 20 hours", async () => {
      const guest = await aGuest({ timeZone: "Asia/Tokyo" });
      const upgraded = await upgrade(guest, "Europe/Madrid");
      expect(upgraded).toMatchObject({
        status: 201,
        body: { user: { timeZone: "Europe/Madrid" } },
      });
      expect(await zones(guest)).toMatchObject({
        time_zone: "Europe/Madrid",
        previous_time_zone: "Asia/Tokyo",
        from_time: "00:00:00",
      });
      const again = await call(user, "PATCH", {
        token: upgraded.body.accessToken,
        body: { timeZone: "America/Lima" },
      });
      expect(again).toMatchObject({ status: 409, code: "time_zone_changed_recently" });
    });

    it("keeps the guest's zone if it was changed within 20 hours", async () => {
      const guest = await aGuest({ timeZone: "Asia/Tokyo" });
      const body = { timeZone: "Europe/Madrid" };
      await call(user, "PATCH", { token: guest.accessToken, body });
      const before = await zones(guest);
      const upgraded = await upgrade(guest, "America/Los_Angeles");
      expect(upgraded).toMatchObject({
        status: 201,
        body: { user: { timeZone: "Europe/Madrid" } },
      });
      expect(await zones(guest)).toEqual(before);
    });

    it("records no change if the zone is the same", async () => {
      const guest = await aGuest({ timeZone: "Asia/Tokyo" });
      expect((await upgrade(guest, "Asia/Tokyo")).status).toBe(201);
      expect(await zones(guest)).toMatchObject({ time_zone_changed_at: null });
    });
  });

  it("returns 503 when the guest's time zone changes during the request", async () => {
    const guest = await aGuest({ timeZone: "Asia/Tokyo" });
    const changeBefore = async (body: unknown) => {
      const isInsert = JSON.stringify(body).includes("knows_device");
      if (isInsert) {
        await stores.sql("update users set time_zone = 'Europe/Rome' where id = $1", guest.user.id);
      }
      return isInsert;
    };
    await stores.faults.postgres.set({ kind: "latency", ms: 1, match: changeBefore });
    const body = registration();
    const send = () => call(register, "POST", { body, token: guest.accessToken });
    expect(await send()).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.postgres.set(null);
    const upgraded = await send();
    expect(upgraded).toMatchObject({ status: 201, body: { user: { timeZone: "Europe/Rome" } } });
  });

  it("revokes the guest's sessions", async () => {
    const guest = await aGuest();
    await call(register, "POST", { body: registration(), token: guest.accessToken });
    const read = await call(user, "GET", { token: guest.accessToken });
    expect(read).toMatchObject({ status: 401, code: "session_revoked" });
    expect(await stores.redis("EXISTS", `session:${guest.sessionId}`)).toBe(0);
    const [row] = await stores.sql("select * from sessions where id = $1", guest.sessionId);
    expect(row).toMatchObject({ revoked_reason: "account_upgraded" });
    const next = await call(refresh, "POST", { body: { refreshToken: guest.refreshToken } });
    expect(next).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("costs 2 Redis round trips and 2 Postgres calls", async () => {
    const guest = await aGuest();
    await stores.resetCalls();
    await call(register, "POST", { body: registration(), token: guest.accessToken });
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 2 });
  });

  it("creates no second account when the request is repeated", async () => {
    const guest = await aGuest();
    const body = registration();
    await call(register, "POST", { body, token: guest.accessToken });
    const again = await call(register, "POST", { body, token: guest.accessToken });
    expect(again).toMatchObject({ status: 401, code: "session_revoked" });
    expect(await accounts(body.email)).toHaveLength(1);
  });

  it("returns 401 token_expired for an expired access token and creates nothing", async () => {
    const guest = await aGuest();
    const body = registration();
    const answer = await call(register, "POST", { body, token: await oldToken(guest) });
    expect(answer).toMatchObject({ status: 401, code: "token_expired" });
    expect(await accounts(body.email)).toEqual([]);
    const { body: pair } = await call(refresh, "POST", {
      body: { refreshToken: guest.refreshToken },
    });
    const upgraded = await call(register, "POST", { body, token: pair.accessToken });
    expect(upgraded.body.user.id).toBe(guest.user.id);
  });

  it.each<[string, () => Promise<string>]>([
    [
      "of a session that was logged out",
      async () => {
        const { accessToken } = await aGuest();
        await call(logout, "POST", { token: accessToken });
        return accessToken;
      },
    ],
    [
      "of a session whose Redis key was deleted",
      async () => {
        const { accessToken, sessionId } = await aGuest();
        await stores.redis("DEL", `session:${sessionId}`);
        return accessToken;
      },
    ],
    ["of a registered account", async () => (await aUser()).accessToken],
    ["of a registered account, expired", async () => oldToken(await aUser())],
    [
      "of a deleted account",
      async () => {
        const guest = await aGuest();
        await stores.sql("delete from users where id = $1", guest.user.id);
        return guest.accessToken;
      },
    ],
    [
      "of another account's session",
      async () => {
        const [one, { user: other }] = [await aGuest(), await aGuest()];
        return oldToken({ ...one, user: other });
      },
    ],
  ])("ignores an access token %s", async (_, bearer) => {
    const token = await bearer();
    const body = registration();
    const answer = await call(register, "POST", { body, token });
    expect(answer.status).toBe(201);
    const [row] = await accounts(body.email);
    expect(row?.id).toBe(answer.body.user.id);
    expect(row?.created_at).toBe(row?.accepted_terms_at);
  });

  it("returns 401 for an invalid access token", async () => {
    const answer = await call(register, "POST", { body: registration(), token: "not.a.token" });
    expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("returns 503 while Postgres is unavailable and upgrades nothing", async () => {
    const guest = await aGuest();
    await stores.faults.postgres.set({ kind: "refuse" });
    const send = () => call(register, "POST", { body: registration(), token: guest.accessToken });
    expect(await send()).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.postgres.set(null);
    expect((await send()).body.user.id).toBe(guest.user.id);
  });

  it("upgrades the guest from the database while Redis is unavailable", async () => {
    const guest = await aGuest();
    await stores.faults.redis.set({ kind: "refuse" });
    const upgraded = await call(register, "POST", {
      body: registration(),
      token: guest.accessToken,
    });
    expect(upgraded.body.user.id).toBe(guest.user.id);
  });
});
