import { describe, expect, it } from "vitest";
import logout from "../../../api/auth/logout.js";
import signOuts from "../../../api/ops/sign-outs.js";
import user from "../../../api/user/index.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useEnvironment();

/** An access token of the session, as it was issued some hours ago. */
function tokenOf({ user, sessionId }: Person, { hoursAgo }: { hoursAgo: number }): string {
  const issuedAt = new Date(Date.now() - hoursAgo * 3_600_000);
  const claims = { userId: user.id, sessionId, authenticatedAt: issuedAt, authMethods: ["pwd"] };
  return issueAccessToken(env(), claims, issuedAt);
}

describe("POST /api/auth/logout", () => {
  it("revokes the session from the next request on, and no other session", async () => {
    const [person, other] = [await aUser(), await aUser()];
    expect((await call(logout, "POST", { token: person.accessToken })).status).toBe(204);
    const after = await call(user, "GET", { token: person.accessToken });
    expect(after).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await call(user, "GET", { token: other.accessToken })).status).toBe(200);
    const [row] = await stores.sql("select * from sessions where id = $1", person.sessionId);
    expect(row).toMatchObject({ revoked_reason: "logged_out" });
    expect(await stores.redis("EXISTS", `session:${person.sessionId}`)).toBe(0);
  });

  it("returns 204 again for a session that has already ended", async () => {
    const { accessToken } = await aUser();
    await call(logout, "POST", { token: accessToken });
    expect((await call(logout, "POST", { token: accessToken })).status).toBe(204);
  });

  it.each([
    ["logout", logout],
    ["sign-outs", signOuts],
  ])(
    "%s revokes the session of an expired token, and only with a valid signature",
    async (_, route) => {
      const [person, other] = [await aUser(), await aUser()];
      const expired = tokenOf(person, { hoursAgo: 24 * 400 });
      const read = await call(user, "GET", { token: expired });
      expect(read).toMatchObject({ status: 401, code: "token_expired" });
      const [head, body, mac = ""] = expired.split(".");
      const forged = [head, body, (mac[0] === "A" ? "B" : "A") + mac.slice(1)].join(".");
      const refused = await call(route, "POST", { token: forged });
      expect(refused).toMatchObject({ status: 401, code: "token_invalid" });
      expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
      expect((await call(route, "POST", { token: expired })).status).toBe(204);
      const after = await call(user, "GET", { token: person.accessToken });
      expect(after).toMatchObject({ status: 401, code: "session_revoked" });
      expect((await call(user, "GET", { token: other.accessToken })).status).toBe(200);
      expect((await call(route, "POST", { token: expired })).status).toBe(204);
    },
  );

  it("returns 401 for an expired token of another secret or environment", async () => {
    const person = await aUser();
    for (const other of [
      { JWT_SECRET: "another-secret-of-the-tests-of-32-bytes" },
      { VERCEL_ENV: "preview" },
    ]) {
      setEnvironment(other);
      const token = tokenOf(person, { hoursAgo: 1 });
      setEnvironment({});
      expect(await call(logout, "POST", { token })).toMatchObject({ code: "token_invalid" });
    }
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("returns 401 for a token that names the session of another account", async () => {
    const [person, other] = [await aUser(), await aUser()];
    for (const hoursAgo of [0, 1]) {
      const token = tokenOf({ ...other, sessionId: person.sessionId }, { hoursAgo });
      const answer = await call(logout, "POST", { token });
      expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
    }
    for (const { accessToken: token } of [person, other]) {
      expect((await call(user, "GET", { token })).status).toBe(200);
    }
  });

  it("returns 204 with an expired token after the account was erased", async () => {
    const person = await aUser();
    await stores.sql("delete from users where id = $1", person.user.id);
    const token = tokenOf(person, { hoursAgo: 1 });
    expect((await call(logout, "POST", { token })).status).toBe(204);
  });

  it("costs one Postgres call", async () => {
    const { accessToken } = await aUser();
    await stores.resetCalls();
    await call(logout, "POST", { token: accessToken });
    expect(stores.calls()).toMatchObject({ postgresCalls: 1, redisTrips: 2 });
  });

  it("returns 401 token_missing without a token", async () => {
    expect(await call(logout, "POST")).toMatchObject({ status: 401, code: "token_missing" });
  });

  it("revokes the session while Redis is unavailable", async () => {
    const person = await aUser();
    await stores.faults.redis.set({ kind: "reset" });
    expect((await call(logout, "POST", { token: person.accessToken })).status).toBe(204);
    const whileRedisFails = await call(user, "GET", { token: person.accessToken });
    expect(whileRedisFails).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("retries a failed delete in Redis without waiting for the cron job", async () => {
    const person = await aUser();
    const deletes = (body: unknown) => JSON.stringify(body).includes("ended");
    await stores.faults.redis.set({ kind: "reset", times: 1, match: deletes });
    expect((await call(logout, "POST", { token: person.accessToken })).status).toBe(204);
    expect(await stores.redis("EXISTS", `session:${person.sessionId}`)).toBe(1);
    await expect.poll(() => stores.redis("EXISTS", `session:${person.sessionId}`)).toBe(0);
  });
});
