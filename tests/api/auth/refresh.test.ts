import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import refresh from "../../../api/auth/refresh.js";
import user from "../../../api/user/index.js";
import { issueRefreshToken } from "../../../lib/auth/token/refresh-token.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aUser, type Person, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const logLines = useLogLines();

const anId = () => randomBytes(16).toString("base64url");
const send = (refreshToken: string, headers: Record<string, string> = {}) =>
  call(refresh, "POST", { body: { refreshToken }, headers });
const tokenOf = ({ sessionId }: Person, counter: number) =>
  issueRefreshToken(env(), { sessionId, counter });
const read = ({ accessToken }: { accessToken: string }) =>
  call(user, "GET", { token: accessToken });
const keyOf = ({ sessionId }: Person) => `session:${sessionId}`;

const recordOf = async ({ sessionId }: Person) =>
  (await stores.sql("select * from sessions where id = $1", sessionId))[0];
const change = ({ sessionId }: Person, assignments: string) =>
  stores.sql(`update sessions set ${assignments} where id = $1`, sessionId);
/** Moves the session's rotation times into the past. */
const age = (person: Person, interval: string) =>
  change(
    person,
    `rotated_at = rotated_at - interval '${interval}',
    concurrent_at = concurrent_at - interval '${interval}',
    repeated_at = repeated_at - interval '${interval}'`,
  );
const eventsOf = ({ user: { id } }: Person, event: string) =>
  stores.sql("select * from security_events where user_id = $1 and event = $2", id, event);
const noticesTo = ({ user: { id } }: Person) =>
  stores.sql(
    `select * from queue_entries where payload ->> 'template' = 'token_reuse'
    and payload -> 'to' ->> 'userId' = $1`,
    id,
  );

const revoked = { status: 401, code: "session_revoked" };
const expired = { status: 401, code: "session_expired" };
const invalid = { status: 401, code: "token_invalid" };
/** Checks every effect of detected token reuse. */
async function expectReuse(person: Person) {
  await stores.settled();
  expect(await recordOf(person)).toMatchObject({ revoked_reason: "token_reuse" });
  expect(await stores.redis("EXISTS", keyOf(person))).toBe(0);
  expect(await eventsOf(person, "token_reuse")).toHaveLength(1);
  expect(logLines.read("token_reuse")).toHaveLength(1);
  expect(logLines.read("token_reuse")[0]).toMatchObject({ level: "SECURITY" });
  expect(await noticesTo(person)).toHaveLength(1);
}

describe("POST /api/auth/refresh", () => {
  it("exchanges a token for its successor, with a new access token", async () => {
    const person = await aUser();
    const { status, body } = await send(person.refreshToken, { "rotation-id": anId() });
    expect(status).toBe(200);
    expect(body.sessionId).toBe(person.sessionId);
    expect(body.refreshToken).toBe(tokenOf(person, 1));
    expect(body.user).toEqual(person.user);
    expect((await read(body)).status).toBe(200);
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await stores.resetCalls();
    expect((await send(person.refreshToken)).status).toBe(200);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 1 });
  });

  it("restarts the idle timeout and keeps the absolute timeout", async () => {
    const person = await aUser();
    await change(person, "idle_expires_at = now() + interval '1 day'");
    const before = await recordOf(person);
    const { body } = await send(person.refreshToken);
    expect(body.refreshExpiresIn).toBeGreaterThan(29 * 86_400);
    expect(await recordOf(person)).toMatchObject({ expires_at: before?.expires_at });
  });

  it("returns a refreshExpiresIn no longer than the absolute timeout", async () => {
    const person = await aUser();
    await change(person, "expires_at = now() + interval '1 hour'");
    const { body } = await send(person.refreshToken);
    expect(body.refreshExpiresIn).toBeLessThanOrEqual(3600);
  });

  it("keeps the time of authentication", async () => {
    const person = await aUser();
    await change(person, "authenticated_at = '2026-01-01T00:00:00Z'");
    const { body } = await send(person.refreshToken);
    const claims = JSON.parse(
      Buffer.from(body.accessToken.split(".")[1], "base64url").toString("utf8"),
    );
    expect(claims.auth_time).toBe(Date.parse("2026-01-01T00:00:00Z") / 1000);
  });
});

describe("repeating POST /api/auth/refresh after a lost response", () => {
  it("returns the same refresh token for the same Rotation-Id, any number of times, even 25 hours later", async () => {
    const person = await aUser();
    const headers = { "rotation-id": anId(), "device-id": person.deviceId };
    const first = await send(person.refreshToken, headers);
    for (const hours of [0, 25, 25]) {
      await age(person, `${hours} hours`);
      const again = await send(person.refreshToken, { "rotation-id": headers["rotation-id"] });
      expect(again).toMatchObject({ status: 200, body: { refreshToken: first.body.refreshToken } });
      expect((await read(again.body)).status).toBe(200);
    }
    expect(await recordOf(person)).toMatchObject({ refresh_counter: "1" });
    expect((await send(first.body.refreshToken, { "rotation-id": anId() })).status).toBe(200);
  });

  it("returns the same refresh token when the response from Postgres was lost", async () => {
    const person = await aUser();
    const headers = { "rotation-id": anId() };
    await stores.faults.postgres.set({ kind: "lose-reply" });
    expect(await send(person.refreshToken, headers)).toMatchObject({ status: 503 });
    await stores.faults.postgres.set(null);
    const { body } = await send(person.refreshToken, headers);
    expect(body.refreshToken).toBe(tokenOf(person, 1));
  });

  it("returns the same refresh token without the header within two minutes", async () => {
    const person = await aUser();
    await send(person.refreshToken);
    for (const passed of ["0 s", "60 s", "55 s"]) {
      await age(person, passed);
      const again = await send(person.refreshToken);
      expect(again).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 1) } });
    }
  });

  it("revokes the session without the header after two minutes", async () => {
    const person = await aUser();
    const { body } = await send(person.refreshToken);
    await age(person, "121 s");
    expect(await send(person.refreshToken)).toMatchObject(revoked);
    expect(await send(body.refreshToken)).toMatchObject(revoked);
    await expectReuse(person);
  });

  it("allows a repetition without the header for one rotation in two minutes, not for two", async () => {
    const person = await aUser();
    await send(person.refreshToken);
    await send(person.refreshToken);
    await send(tokenOf(person, 1));
    expect(await send(tokenOf(person, 1))).toMatchObject(revoked);
    await expectReuse(person);
  });

  it("allows a repetition without the header for another rotation two minutes later", async () => {
    const person = await aUser();
    await send(person.refreshToken);
    await send(person.refreshToken);
    await age(person, "121 s");
    await send(tokenOf(person, 1));
    const again = await send(tokenOf(person, 1));
    expect(again).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 2) } });
  });

  it("revokes the session when the rotation had the header and the repetition does not", async () => {
    const person = await aUser();
    await send(person.refreshToken, { "rotation-id": anId() });
    expect(await send(person.refreshToken)).toMatchObject(revoked);
    await expectReuse(person);
  });
});

describe("two concurrent refreshes from one device", () => {
  const from = (deviceId: string) => ({ "rotation-id": anId(), "device-id": deviceId });

  it("get the same successor and are logged", async () => {
    const person = await aUser();
    await send(person.refreshToken, from(person.deviceId));
    await age(person, "8 s");
    const second = await send(person.refreshToken, from(person.deviceId));
    expect(second).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 1) } });
    await stores.settled();
    expect(await eventsOf(person, "refresh_concurrent")).toHaveLength(1);
    expect(logLines.read("refresh_concurrent")).toHaveLength(1);
    expect(await noticesTo(person)).toHaveLength(0);
  });

  it("may both be repeated later, since both responses may be lost", async () => {
    const person = await aUser();
    const calls = [1, 2, 3].map(() => from(person.deviceId));
    for (const headers of calls) await send(person.refreshToken, headers);
    await age(person, "25 hours");
    for (const headers of calls) {
      const again = await send(person.refreshToken, headers);
      expect(again).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 1) } });
    }
    await send(tokenOf(person, 1), from(person.deviceId));
    await age(person, "11 s");
    expect(await send(tokenOf(person, 1), calls[1])).toMatchObject(revoked);
  });

  it("are allowed for one rotation in ten minutes, not for two", async () => {
    const person = await aUser();
    for (const counter of [0, 0, 1]) {
      const { status } = await send(tokenOf(person, counter), from(person.deviceId));
      expect(status).toBe(200);
    }
    await age(person, "9 s");
    expect(await send(tokenOf(person, 1), from(person.deviceId))).toMatchObject(revoked);
    await expectReuse(person);
  });

  it("are allowed again ten minutes later", async () => {
    const person = await aUser();
    for (const counter of [0, 1, 2]) {
      for (const headers of [from(person.deviceId), from(person.deviceId)]) {
        const { status, body } = await send(tokenOf(person, counter), headers);
        expect([status, body.refreshToken]).toEqual([200, tokenOf(person, counter + 1)]);
      }
      await age(person, "601 s");
    }
  });

  it("are allowed each time the access token expires, also when it lives less than ten minutes", async () => {
    setEnvironment({ ACCESS_TOKEN_TTL_SECONDS: "300" });
    const person = await aUser();
    for (const counter of [0, 1, 2]) {
      for (const headers of [from(person.deviceId), from(person.deviceId)]) {
        expect((await send(tokenOf(person, counter), headers)).status).toBe(200);
      }
      await age(person, counter < 1 ? "300 s" : "201 s");
    }
    // Two rotations in the lifetime of one token are still a theft.
    await send(tokenOf(person, 3), from(person.deviceId));
    await send(tokenOf(person, 3), from(person.deviceId));
    await age(person, "9 s");
    await send(tokenOf(person, 4), from(person.deviceId));
    expect(await send(tokenOf(person, 4), from(person.deviceId))).toMatchObject(revoked);
    setEnvironment({});
  });

  it("count as token reuse after ten seconds", async () => {
    const person = await aUser();
    await send(person.refreshToken, from(person.deviceId));
    await age(person, "11 s");
    expect(await send(person.refreshToken, from(person.deviceId))).toMatchObject(revoked);
    await expectReuse(person);
  });

  it.each([
    ["from another device", { "device-id": "another-device" }],
    ["without a device ID", {}],
    ["with an invalid device ID", { "device-id": "short" }],
  ])("count as token reuse %s", async (_, headers) => {
    const person = await aUser();
    await send(person.refreshToken, from(person.deviceId));
    const second = await send(person.refreshToken, { "rotation-id": anId(), ...headers });
    expect(second).toMatchObject(revoked);
    await expectReuse(person);
  });

  it("count as token reuse when neither has a device ID", async () => {
    const person = await aUser();
    await send(person.refreshToken, { "rotation-id": anId() });
    expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject(revoked);
  });
});

describe("a stolen refresh token", () => {
  it("revokes the session for the thief and the owner from the next request on", async () => {
    const person = await aUser();
    const theft = await send(person.refreshToken, {
      "rotation-id": anId(),
      "device-id": "the-thief-s-own",
    });
    expect(theft.status).toBe(200);
    const own = { "rotation-id": anId(), "device-id": person.deviceId };
    expect(await send(person.refreshToken, own)).toMatchObject(revoked);
    expect(await read(theft.body)).toMatchObject(revoked);
    expect(await read(person)).toMatchObject(revoked);
    expect(await send(theft.body.refreshToken, { "rotation-id": anId() })).toMatchObject(revoked);
    await expectReuse(person);
  });

  it.each(["owner", "thief"])(
    "revokes the session in the second round at the latest, when the thief knows the device ID and the %s is first",
    async (first) => {
      const person = await aUser();
      const held = { owner: person.refreshToken, thief: person.refreshToken };
      const order =
        first === "owner" ? (["owner", "thief"] as const) : (["thief", "owner"] as const);
      const rounds: string[][] = [];
      while (rounds.length < 10) {
        const round: string[] = [];
        for (const who of order) {
          const headers = { "rotation-id": anId(), "device-id": person.deviceId };
          const { status, code, body } = await send(held[who], headers);
          if (status === 200) held[who] = body.refreshToken;
          round.push(`${who} ${code ?? status}`);
        }
        rounds.push(round);
      }
      const [one, other] = order;
      expect(rounds.slice(0, 2)).toEqual([
        [`${one} 200`, `${other} 200`],
        [`${one} 200`, `${other} session_revoked`],
      ]);
      expect(new Set(rounds.slice(2).flat())).toEqual(
        new Set([`${one} session_revoked`, `${other} session_revoked`]),
      );
      await stores.settled();
      expect(await eventsOf(person, "refresh_concurrent")).toHaveLength(1);
      await expectReuse(person);
    },
  );

  it("revokes the session when the token is two or more rotations old, with any headers", async () => {
    const person = await aUser();
    const headers = { "rotation-id": anId(), "device-id": person.deviceId };
    await send(person.refreshToken, headers);
    await send(tokenOf(person, 1), headers);
    expect(await send(person.refreshToken, headers)).toMatchObject(revoked);
    await expectReuse(person);
  });

  it("revokes the session while Redis is unavailable", async () => {
    const person = await aUser();
    const { body } = await send(person.refreshToken, { "rotation-id": anId() });
    await stores.faults.redis.set({ kind: "reset" });
    expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject(revoked);
    expect(await read(body)).toMatchObject(revoked);
    expect(await send(body.refreshToken)).toMatchObject(revoked);
  });

  it("revokes the session when the response to the revocation was lost", async () => {
    const person = await aUser();
    const { body } = await send(person.refreshToken, { "rotation-id": anId() });
    await stores.faults.postgres.set({ kind: "lose-reply" });
    expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject({
      status: 503,
    });
    await stores.faults.postgres.set(null);
    expect(await noticesTo(person)).toHaveLength(1);
    expect(await send(body.refreshToken)).toMatchObject(revoked);
    expect(await read(body)).toMatchObject(revoked);
  });

  it("does not revoke the user's other sessions", async () => {
    const person = await aUser();
    const credentials = { email: person.email, password, device: { id: person.deviceId } };
    const { body: other } = await call(login, "POST", { body: credentials });
    await send(person.refreshToken, { "rotation-id": anId() });
    expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject(revoked);
    expect((await read(other)).status).toBe(200);
    expect((await send(other.refreshToken)).status).toBe(200);
  });
});

describe("a refresh token with a counter ahead of the database", () => {
  it("is accepted, as after a database restore, and may be repeated", async () => {
    const person = await aUser();
    const headers = { "rotation-id": anId() };
    const ahead = await send(tokenOf(person, 7), headers);
    expect(ahead).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 8) } });
    await stores.settled();
    expect(await eventsOf(person, "refresh_ahead")).toHaveLength(1);
    expect(logLines.read("refresh_ahead")).toHaveLength(1);
    const again = await send(tokenOf(person, 7), headers);
    expect(again).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 8) } });
    expect((await send(tokenOf(person, 8), { "rotation-id": anId() })).status).toBe(200);
  });
});

describe("an invalid refresh token", () => {
  const other = "another-secret-of-the-tests-of-32-bytes-or-more";

  /** Tokens that are valid except for one part. */
  function forged(person: Person): [string, string][] {
    const [form, kid, sid, counter, mac = ""] = person.refreshToken.split(".");
    const join = (...parts: unknown[]) => parts.join(".");
    const wrongMac = (mac[0] === "A" ? "B" : "A") + mac.slice(1);
    const elsewhere = { ...env(), jwt: { ...env().jwt, secret: other } };
    const { sessionId } = person;
    const foreign = issueRefreshToken(elsewhere, { sessionId, counter: 0 });
    const [, foreignKid, , , foreignMac] = foreign.split(".");
    return [
      ["mac", join(form, kid, sid, counter, wrongMac)],
      ["mac cut short", person.refreshToken.slice(0, -1)],
      ["counter", join(form, kid, sid, 1, mac)],
      ["counter with a leading zero", join(form, kid, sid, "00", mac)],
      ["negative counter", join(form, kid, sid, "-1", mac)],
      ["session", join(form, kid, anId(), counter, mac)],
      ["key id", join(form, "AAAAAAAA", sid, counter, mac)],
      ["key id of another secret", join(form, foreignKid, sid, counter, mac)],
      ["mac of another secret", join(form, kid, sid, counter, foreignMac)],
      ["environment", foreign],
      ["form", join("rt2", kid, sid, counter, mac)],
      ["end", `${person.refreshToken} `],
      ["access token", person.accessToken],
      ["text", "garbage"],
      ["nothing", ""],
    ];
  }

  it("returns 401 without I/O before the response and changes nothing", async () => {
    const person = await aUser();
    const before = await recordOf(person);
    for (const [name, token] of forged(person)) {
      await stores.resetCalls();
      const answer = send(token, { "rotation-id": anId() });
      const { redisTrips, postgresCalls } = await answer.then(() => stores.calls());
      expect(await answer, name).toMatchObject(invalid);
      expect({ redisTrips, postgresCalls }, name).toEqual({ redisTrips: 0, postgresCalls: 0 });
    }
    expect(await recordOf(person)).toEqual(before);
    expect((await read(person)).status).toBe(200);
    expect((await send(person.refreshToken)).status).toBe(200);
  });

  it("returns 401 for a session that does not exist", async () => {
    const token = issueRefreshToken(env(), { sessionId: anId(), counter: 0 });
    expect(await send(token)).toMatchObject(invalid);
    expect(await send(token, { "rotation-id": anId() })).toMatchObject(invalid);
  });

  it.each([
    ["no body", undefined],
    ["no token", {}],
    ["a token of another type", { refreshToken: 1 }],
    ["a token that is too long", { refreshToken: "a".repeat(513) }],
    ["an unknown field", { refreshToken: "garbage", more: true }],
  ])("returns 415 or 422 for %s", async (_, body) => {
    const { status } = await call(refresh, "POST", { body });
    expect([415, 422]).toContain(status);
  });

  it("is accepted with JWT_SECRET_PREVIOUS after a key rotation, and refused without it", async () => {
    const person = await aUser();
    const { JWT_SECRET: previous = "" } = process.env;
    setEnvironment({ JWT_SECRET: other });
    expect(await send(person.refreshToken)).toMatchObject(invalid);
    setEnvironment({ JWT_SECRET: other, JWT_SECRET_PREVIOUS: previous });
    const { status, body } = await send(person.refreshToken);
    expect(status).toBe(200);
    setEnvironment({ JWT_SECRET: other });
    expect((await send(body.refreshToken)).status).toBe(200);
  });
});

describe("the headers of POST /api/auth/refresh", () => {
  it.each([
    ["short", "a".repeat(21)],
    ["long", "a".repeat(129)],
    ["made of invalid characters", `${"a".repeat(22)} b`],
    ["empty", ""],
  ])("return 400 for a Rotation-Id that is %s and change nothing", async (_, rotation) => {
    const person = await aUser();
    const refused = await send(person.refreshToken, { "rotation-id": rotation });
    expect(refused).toMatchObject({ status: 400, code: "rotation_id_invalid" });
    expect(await recordOf(person)).toMatchObject({ refresh_counter: "0" });
    expect((await send(person.refreshToken)).status).toBe(200);
  });

  it.each([
    ["a".repeat(22)],
    ["a".repeat(128)],
    ["0b5c0e4e-6f0a-4c3e-9d5e-0d9b2f6a7c11"],
    ["q83vEjRWeJCrze8SNFZ4+/=="],
  ])("accept the Rotation-Id %s", async (rotation) => {
    const person = await aUser();
    expect((await send(person.refreshToken, { "rotation-id": rotation })).status).toBe(200);
  });

  it("do not store the Rotation-Id in the database", async () => {
    const person = await aUser();
    const headers = [anId(), anId()].map((id) => ({
      "rotation-id": id,
      "device-id": person.deviceId,
    }));
    for (const each of headers) await send(person.refreshToken, each);
    const record = JSON.stringify(await recordOf(person));
    for (const each of headers) expect(record).not.toContain(each["rotation-id"]);
  });
});

describe("refreshing a session that has ended", () => {
  it("returns session_expired after the idle timeout or the absolute timeout", async () => {
    for (const end of ["idle_expires_at", "expires_at"]) {
      const person = await aUser();
      await change(person, `${end} = now() - interval '1 s'`);
      expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject(expired);
      expect(await recordOf(person)).toMatchObject({ refresh_counter: "0", revoked_at: null });
    }
  });

  it("returns session_expired for a repeated refresh", async () => {
    const person = await aUser();
    const headers = { "rotation-id": anId() };
    await send(person.refreshToken, headers);
    await change(person, "idle_expires_at = now() - interval '1 s'");
    expect(await send(person.refreshToken, headers)).toMatchObject(expired);
  });

  it("returns session_revoked after a logout, without reporting token reuse", async () => {
    const person = await aUser();
    const { body } = await send(person.refreshToken);
    await call(logout, "POST", { token: person.accessToken });
    for (const token of [body.refreshToken, person.refreshToken]) {
      expect(await send(token)).toMatchObject(revoked);
    }
    await stores.settled();
    expect(await recordOf(person)).toMatchObject({ revoked_reason: "logged_out" });
    expect(await eventsOf(person, "token_reuse")).toHaveLength(0);
  });

  it("returns session_revoked according to the database and deletes the cached key", async () => {
    const person = await aUser();
    await change(person, "revoked_at = now(), revoked_reason = 'revoked_by_owner'");
    expect(await stores.redis("EXISTS", keyOf(person))).toBe(1);
    expect(await send(person.refreshToken)).toMatchObject(revoked);
    expect(await stores.redis("EXISTS", keyOf(person))).toBe(0);
    expect(await read(person)).toMatchObject(revoked);
  });

  it.each(["suspended_at", "purge_at"])(
    "returns session_revoked when the account has %s",
    async (column) => {
      const person = await aUser();
      await stores.sql(`update users set ${column} = now() where id = $1`, person.user.id);
      expect(await send(person.refreshToken)).toMatchObject(revoked);
      expect(await read(person)).toMatchObject(revoked);
      const lost = await aUser();
      await stores.sql(`update users set ${column} = now() where id = $1`, lost.user.id);
      await stores.redis("DEL", keyOf(lost), `known-session:${lost.sessionId}`);
      expect(await read(lost)).toMatchObject(revoked);
    },
  );

  it("returns session_revoked after all sessions were revoked", async () => {
    const person = await aUser();
    const all = "update security_settings set revoke_all_before = ";
    await stores.sql(`${all} now() + interval '1 s'`);
    const answer = await send(person.refreshToken);
    await stores.sql(`${all} 'epoch'`);
    expect(answer).toMatchObject(revoked);
  });

  it("returns token_invalid after the account was erased", async () => {
    const person = await aUser();
    await stores.sql("delete from users where id = $1", person.user.id);
    expect(await send(person.refreshToken)).toMatchObject(invalid);
  });
});

describe("a guest's session", () => {
  it("has no absolute timeout and an idle timeout of 400 days", async () => {
    const person = await aUser();
    await stores.sql("update users set is_guest = true where id = $1", person.user.id);
    await change(
      person,
      "expires_at = null, idle_expires_at = now() + interval '1 s', created_at = now() - interval '3 years'",
    );
    const { status, body } = await send(person.refreshToken, { "rotation-id": anId() });
    expect(status).toBe(200);
    expect(body.refreshExpiresIn).toBeGreaterThan(399 * 86_400);
    expect(await recordOf(person)).toMatchObject({ expires_at: null });
    await change(person, "idle_expires_at = now() - interval '1 s'");
    expect(await send(body.refreshToken)).toMatchObject(expired);
  });

  it("has its lost Redis key restored, also without an absolute timeout", async () => {
    const person = await aUser();
    await stores.sql("update users set is_guest = true where id = $1", person.user.id);
    await change(person, "expires_at = null");
    await stores.redis("DEL", keyOf(person), `known-${keyOf(person)}`);
    expect((await send(person.refreshToken)).status).toBe(200);
    await stores.settled();
    expect(await stores.redis("HGET", keyOf(person), "expires")).toBe("");
    expect(Number(await stores.redis("PTTL", keyOf(person)))).toBeGreaterThan(399 * 86_400_000);
  });
});

describe("the Redis keys of a refreshed session", () => {
  it("are restored unchanged when Redis lost them", async () => {
    const person = await aUser();
    const before = await stores.redis("HGETALL", keyOf(person));
    await stores.redis("DEL", keyOf(person), `known-${keyOf(person)}`);
    const { status, body } = await send(person.refreshToken, { "rotation-id": anId() });
    expect(status).toBe(200);
    await stores.settled();
    expect(await stores.redis("HGETALL", keyOf(person))).toEqual(before);
    await stores.resetCalls();
    expect((await read(body)).status).toBe(200);
    expect(stores.calls()).toMatchObject({ redisTrips: 1 });
  });

  it("are not restored for a session that has ended", async () => {
    const person = await aUser();
    await change(person, "revoked_at = now(), revoked_reason = 'revoked_by_owner'");
    await stores.redis("DEL", keyOf(person), `known-${keyOf(person)}`);
    expect(await send(person.refreshToken)).toMatchObject(revoked);
    await stores.settled();
    expect(await stores.redis("EXISTS", keyOf(person))).toBe(0);
  });

  it("revoke the session when session:<id> is deleted", async () => {
    const person = await aUser();
    await stores.redis("DEL", keyOf(person));
    expect(await send(person.refreshToken, { "rotation-id": anId() })).toMatchObject(revoked);
    expect(await recordOf(person)).toMatchObject({
      revoked_reason: "redis_key_deleted",
      refresh_counter: "0",
    });
    await stores.redis("FLUSHDB");
    expect(await send(person.refreshToken)).toMatchObject(revoked);
  });
});

describe.each(["refuse", "reset", "garbage", "hang"] as const)("with Redis down (%s)", (kind) => {
  it("refreshes from the database and revokes no session", async () => {
    const person = await aUser();
    await stores.faults.redis.set({ kind });
    const headers = { "rotation-id": anId() };
    const first = await send(person.refreshToken, headers);
    expect(first).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 1) } });
    expect((await send(person.refreshToken, headers)).status).toBe(200);
    expect((await read(first.body)).status).toBe(200);
    await stores.faults.redis.set(null);
    expect((await send(tokenOf(person, 1), { "rotation-id": anId() })).status).toBe(200);
  });
});

describe.each(["refuse", "reset", "garbage", "hang"] as const)(
  "with Postgres down (%s)",
  (kind) => {
    it("returns 503, never 401, and the same request succeeds later", async () => {
      const person = await aUser();
      const headers = { "rotation-id": anId() };
      await stores.faults.postgres.set({ kind });
      const answer = await send(person.refreshToken, headers);
      expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
      expect(answer.body.retryable).toBe(true);
      await stores.faults.postgres.set(null);
      const later = await send(person.refreshToken, headers);
      expect(later).toMatchObject({ status: 200, body: { refreshToken: tokenOf(person, 1) } });
    });
  },
);

describe("the rate limit of POST /api/auth/refresh", () => {
  const max = 60;

  /** The keys of this minute and the next, in case the minute changes during the test. */
  function counters({ sessionId }: Person): string[] {
    const minute = Math.floor(Date.now() / 60_000);
    return [0, 1].map((ahead) => `rate:refresh:session:${sessionId}:${minute + ahead}`);
  }

  it("is sixty per minute and session, and does not apply per address", async () => {
    const [person, neighbour] = [await aUser(), await aUser()];
    const { headers } = await send(person.refreshToken);
    expect(headers.get("x-ratelimit-limit")).toBe(String(max));
    expect(headers.get("x-ratelimit-remaining")).toBe(String(max - 1));
    for (const key of counters(person)) await stores.redis("SET", key, String(max));
    const refused = await send(tokenOf(person, 1));
    expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await send(neighbour.refreshToken)).status).toBe(200);
    await stores.redis("DEL", ...counters(person));
    expect((await send(tokenOf(person, 1))).status).toBe(200);
  });

  it("applies while Redis is unavailable", async () => {
    const [person, neighbour] = [await aUser(), await aUser()];
    const resetsAtMs = String(Date.now() + 120_000);
    for (const key of counters(person)) {
      const insert = "insert into rate_limits (key, used, resets_at_ms) values ($1, $2, $3)";
      await stores.sql(insert, key, String(max), resetsAtMs);
    }
    await stores.faults.redis.set({ kind: "reset" });
    expect(await send(person.refreshToken)).toMatchObject({ status: 429, code: "rate_limited" });
    expect((await send(neighbour.refreshToken)).status).toBe(200);
  });

  it("does not count invalid tokens against a session", async () => {
    const person = await aUser();
    for (let count = 0; count < 3; count++) await send(person.refreshToken.slice(0, -1));
    await stores.settled();
    expect(await stores.redis("EXISTS", ...counters(person))).toBe(0);
  });
});
