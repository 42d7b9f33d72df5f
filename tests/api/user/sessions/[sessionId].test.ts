import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import user from "../../../../api/user/index.js";
import session from "../../../../api/user/sessions/[sessionId].js";
import type { TokenPair } from "../../../../lib/auth/token/token-pair.js";
import { call } from "../../../support/call.js";
import { aUser, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const end = ({ accessToken: token }: TokenPair, id: string) =>
  call(session, "DELETE", { token, url: `http://localhost:8080/api/user/sessions/${id}` });

async function signInAgain({ email, deviceId }: Person): Promise<TokenPair> {
  const answer = await call(login, "POST", { body: { email, password, device: { id: deviceId } } });
  return answer.body as TokenPair;
}
const audited = async ({ user: { id } }: TokenPair) =>
  (await stores.sql("select action from audit_log where subject_id = $1", id)).map(
    ({ action }) => action,
  );

describe("DELETE /api/user/sessions/:sessionId", () => {
  it("revokes that session and no other", async () => {
    const person = await aUser();
    const second = await signInAgain(person);
    expect((await end(person, second.sessionId)).status).toBe(204);
    const after = await call(user, "GET", { token: second.accessToken });
    expect(after).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    expect(await stores.redis("EXISTS", `session:${second.sessionId}`)).toBe(0);
    const [row] = await stores.sql("select * from sessions where id = $1", second.sessionId);
    expect(row).toMatchObject({ revoked_reason: "revoked_by_owner" });
    expect(await audited(person)).toEqual(["session.revoked"]);
  });

  it("returns 204 again and writes one audit row", async () => {
    const person = await aUser();
    const second = await signInAgain(person);
    expect((await end(person, second.sessionId)).status).toBe(204);
    expect((await end(person, second.sessionId)).status).toBe(204);
    expect(await audited(person)).toEqual(["session.revoked"]);
  });

  it("can revoke the current session", async () => {
    const person = await aUser();
    expect((await end(person, person.sessionId)).status).toBe(204);
    const after = await call(user, "GET", { token: person.accessToken });
    expect(after).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("gives the same 404 for another user's session as for an unknown one, and does not revoke it", async () => {
    const [person, other] = [await aUser(), await aUser()];
    const answers = [];
    for (const id of [other.sessionId, "A".repeat(22), "%20"]) {
      await stores.resetCalls();
      const { status, code, body } = await end(person, id);
      answers.push({ status, code, detail: body.detail, calls: stores.calls() });
    }
    expect(answers[0]).toMatchObject({ status: 404, code: "not_found" });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect((await call(user, "GET", { token: other.accessToken })).status).toBe(200);
    expect(await audited(other)).toEqual([]);
  });

  it("revokes the session while Redis is unavailable", async () => {
    const person = await aUser();
    const second = await signInAgain(person);
    await stores.faults.redis.set({ kind: "reset" });
    expect((await end(person, second.sessionId)).status).toBe(204);
    const after = await call(user, "GET", { token: second.accessToken });
    expect(after).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("returns 503 and revokes nothing while Postgres is unavailable", async () => {
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    const answer = await end(person, person.sessionId);
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(await stores.redis("EXISTS", `session:${person.sessionId}`)).toBe(1);
  });
});
