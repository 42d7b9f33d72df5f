import { describe, expect, it } from "vitest";
import logout from "../../../api/auth/logout.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

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
