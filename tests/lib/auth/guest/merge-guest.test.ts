import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import logout from "../../../../api/auth/logout.js";
import refresh from "../../../../api/auth/refresh.js";
import register from "../../../../api/auth/register.js";
import user from "../../../../api/user/index.js";
import { issueAccessToken } from "../../../../lib/auth/token/access-token.js";
import type { TokenPair } from "../../../../lib/auth/token/token-pair.js";
import { env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { aGuest, anAddress, aUser, earn, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const logIn = ({ email, deviceId }: Person, token: string, typed = password) =>
  call(login, "POST", {
    body: { email, password: typed, device: { id: deviceId } },
    token,
    ip: anAddress(),
  });
const points = async ({ user: { id } }: TokenPair) => {
  const [row] = await stores.sql(
    "select coalesce(sum(xp), 0) as sum from xp_entries where user_id = $1",
    id,
  );
  return Number(row?.sum);
};
const setPreferences = ({ user: { id } }: TokenPair, motto: string) =>
  stores.sql(
    "insert into preferences (user_id, profile, updated_at) values ($1, $2, now())",
    id,
    JSON.stringify({ motto }),
  );
const preferencesOf = async ({ user: { id } }: TokenPair) => {
  const rows = await stores.sql("select profile from preferences where user_id = $1", id);
  return rows.map(({ profile }) => JSON.parse(profile ?? "").motto);
};
const account = async ({ user: { id } }: TokenPair) =>
  (await stores.sql("select * from users where id = $1", id))[0];
const oldToken = ({ user: { id: userId }, sessionId }: TokenPair) => {
  const authenticatedAt = new Date(Date.now() - 3_600_000);
  const session = { userId, sessionId, authenticatedAt, authMethods: [] };
  return issueAccessToken(env(), session, authenticatedAt);
};

describe("POST /api/auth/login with a guest's access token", () => {
  it("moves the guest's points and preferences to the account once", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await earn(stores, person, 1);
    await earn(stores, guest, 10);
    await earn(stores, guest, 20);
    await setPreferences(guest, "the guest's");
    const answer = await logIn(person, guest.accessToken);
    expect(answer.status).toBe(200);
    expect(answer.body.user).toEqual(person.user);
    expect(await points(person)).toBe(31);
    expect(await points(guest)).toBe(0);
    expect(await preferencesOf(person)).toEqual(["the guest's"]);
    expect(await preferencesOf(guest)).toEqual([]);
    expect(await account(guest)).toMatchObject({ is_guest: "f", merged_into: person.user.id });
    expect((await logIn(person, guest.accessToken)).status).toBe(200);
    expect(await points(person)).toBe(31);
  });

  it("revokes only the guest's sessions", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await logIn(person, guest.accessToken);
    const read = await call(user, "GET", { token: guest.accessToken });
    expect(read).toMatchObject({ status: 401, code: "session_revoked" });
    expect(await stores.redis("EXISTS", `session:${guest.sessionId}`)).toBe(0);
    const [row] = await stores.sql("select * from sessions where id = $1", guest.sessionId);
    expect(row).toMatchObject({ revoked_reason: "account_merged" });
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("keeps the account's own preferences", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await setPreferences(person, "its own");
    await setPreferences(guest, "the guest's");
    await logIn(person, guest.accessToken);
    expect(await preferencesOf(person)).toEqual(["its own"]);
  });

  it("costs at most 2 Redis round trips and 3 Postgres calls", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await stores.resetCalls();
    await logIn(person, guest.accessToken);
    expect(stores.calls()).toMatchObject({ redisTrips: 2, postgresCalls: 3 });
  });

  it("moves nothing when the password is wrong or the account is suspended", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await earn(stores, guest, 10);
    expect((await logIn(person, guest.accessToken, "not the password")).status).toBe(401);
    await stores.sql("update users set suspended_at = now() where id = $1", person.user.id);
    expect((await logIn(person, guest.accessToken)).status).toBe(403);
    expect(await points(guest)).toBe(10);
    expect((await call(user, "GET", { token: guest.accessToken })).status).toBe(200);
  });

  it("returns 401 token_expired for an expired access token and counts no failure", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await earn(stores, guest, 10);
    const send = (token: string) => {
      const body = { email: person.email, password, device: { id: person.deviceId } };
      return call(login, "POST", { body, token, ip: "198.51.100.250" });
    };
    const token = await oldToken(guest);
    for (let attempt = 0; attempt < 7; attempt++) {
      expect(await send(token)).toMatchObject({ status: 401, code: "token_expired" });
      await stores.settled();
    }
    expect(await points(guest)).toBe(10);
    const { body } = await call(refresh, "POST", { body: { refreshToken: guest.refreshToken } });
    expect((await send(body.accessToken)).status).toBe(200);
    expect(await points(person)).toBe(10);
  });

  it.each<[string, () => Promise<string>]>([
    [
      "of a session that was logged out",
      async () => {
        const guest = await aGuest();
        await call(logout, "POST", { token: guest.accessToken });
        return guest.accessToken;
      },
    ],
    ["of a registered account", async () => (await aUser()).accessToken],
    ["of a registered account, expired", async () => oldToken(await aUser())],
    [
      "of a guest who has registered since",
      async () => {
        const guest = await aGuest();
        const email = `new-${randomUUID()}@example.com`;
        const body = { email, password, name: "Ada", acceptedTerms: true };
        await call(register, "POST", { body, token: guest.accessToken });
        return guest.accessToken;
      },
    ],
  ])("ignores an access token %s", async (_, bearer) => {
    const person = await aUser();
    expect((await logIn(person, await bearer())).status).toBe(200);
    expect(await stores.sql("select from users where merged_into = $1", person.user.id)).toEqual(
      [],
    );
  });

  it("ignores an access token of the same account", async () => {
    const person = await aUser();
    expect((await logIn(person, person.accessToken)).status).toBe(200);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("refuses a refresh of the merged guest account", async () => {
    const [person, guest] = [await aUser(), await aGuest()];
    await logIn(person, guest.accessToken);
    const next = await call(refresh, "POST", { body: { refreshToken: guest.refreshToken } });
    expect(next).toMatchObject({ status: 401, code: "session_revoked" });
  });
});
