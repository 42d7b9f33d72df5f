import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import user from "../../../../api/user/index.js";
import sessions from "../../../../api/user/sessions/index.js";
import type { TokenPair } from "../../../../lib/auth/token/token-pair.js";
import { call } from "../../../support/call.js";
import { useEnvironment } from "../../../support/environment.js";
import { useLogLines } from "../../../support/log-lines.js";
import { aUser, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const logs = useLogLines();

const list = ({ accessToken: token }: TokenPair, query = "") =>
  call(sessions, "GET", { token, url: `http://localhost:8080/api/user/sessions${query}` });
const idsOf = async (pair: TokenPair) =>
  (await list(pair)).body.items.map(({ id }: { id: string }) => id) as string[];

let lastHost = 0;
async function signInAgain({ email, deviceId }: Person, device = {}): Promise<TokenPair> {
  const body = { email, password, device: { id: deviceId, ...device } };
  const headers = { "x-vercel-ip-country": "ES" };
  const ip = `203.0.113.${++lastHost}`;
  const answer = await call(login, "POST", { body, headers, ip });
  expect(answer.status).toBe(200);
  return answer.body as TokenPair;
}

describe("GET /api/user/sessions", () => {
  it("lists the user's sessions, newest first, and marks the current one", async () => {
    const person = await aUser();
    await aUser();
    const phone = { name: "Ada's phone", platform: "ios", appVersion: "2.1.0" };
    const second = await signInAgain(person, phone);
    const { status, body, headers } = await list(person);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body).toEqual({
      items: [
        {
          id: second.sessionId,
          deviceName: "Ada's phone",
          platform: "ios",
          appVersion: "2.1.0",
          ipPrefix: "203.0.113.0/24",
          country: "ES",
          createdAt: expect.any(String),
          lastSeenAt: expect.any(String),
          current: false,
        },
        expect.objectContaining({ id: person.sessionId, deviceName: null, current: true }),
      ],
      nextCursor: null,
    });
    expect(JSON.stringify(body)).not.toMatch(/rt1\.|eyJ[\w-]*\.|device_?id|counter/i);
  });

  it.each([
    ["revoked", "revoked_at = now()"],
    ["idle for too long", "idle_expires_at = now() - interval '1 second'"],
    ["past its absolute timeout", "expires_at = now() - interval '1 second'"],
    ["older than the revocation of all sessions", "created_at = '1969-12-31'"],
  ])("omits a session that is %s", async (_, change) => {
    const person = await aUser();
    const second = await signInAgain(person);
    expect(await idsOf(person)).toContain(second.sessionId);
    await stores.sql(`update sessions set ${change} where id = $1`, second.sessionId);
    expect(await idsOf(person)).toEqual([person.sessionId]);
  });

  it("returns each session once across pages", async () => {
    const person = await aUser();
    const all = [person.sessionId];
    for (let turn = 0; turn < 4; turn++) all.unshift((await signInAgain(person)).sessionId);
    // Sessions with the same creation time are ordered by ID.
    const createdAt = "date_trunc('milliseconds', now())";
    await stores.sql(
      `update sessions set created_at = ${createdAt} where user_id = $1`,
      person.user.id,
    );
    const seen: string[] = [];
    const sizes: number[] = [];
    let query = "?limit=2";
    while (query) {
      const { body } = await list(person, query);
      seen.push(...body.items.map(({ id }: { id: string }) => id));
      sizes.push(body.items.length);
      query = body.nextCursor ? `?limit=2&cursor=${body.nextCursor}` : "";
    }
    expect(sizes).toEqual([2, 2, 1]);
    expect(seen.sort()).toEqual(all.sort());
  });

  it("costs one Redis round trip and one Postgres call", async () => {
    const person = await aUser();
    await list(person);
    await stores.resetCalls();
    await list(person);
    expect(stores.calls()).toEqual({ redisTrips: 1, redisCommands: 8, postgresCalls: 1 });
  });

  it("returns 401 without a token and 503 without Postgres", async () => {
    expect(await call(sessions, "GET")).toMatchObject({ status: 401, code: "token_missing" });
    const person = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await list(person)).toMatchObject({ status: 503, code: "service_unavailable" });
  });
});

describe("DELETE /api/user/sessions", () => {
  const endOthers = ({ accessToken: token }: TokenPair) => call(sessions, "DELETE", { token });

  it("revokes every session but the current one at once", async () => {
    const [person, stranger] = [await aUser(), await aUser()];
    const others = [await signInAgain(person), await signInAgain(person)];
    expect((await endOthers(person)).status).toBe(204);
    for (const { accessToken: token, sessionId } of others) {
      const answer = await call(user, "GET", { token });
      expect(answer).toMatchObject({ status: 401, code: "session_revoked" });
      expect(await stores.redis("EXISTS", `session:${sessionId}`)).toBe(0);
    }
    expect(await idsOf(person)).toEqual([person.sessionId]);
    expect(await idsOf(stranger)).toEqual([stranger.sessionId]);
    expect(logs.read("session_revoked").map(({ data }) => data.sessionId)).toEqual(
      expect.arrayContaining(others.map(({ sessionId }) => sessionId)),
    );
    const audited = await stores.sql(
      "select actor_kind, actor_id, action from audit_log where subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([
      { actor_kind: "user", actor_id: person.user.id, action: "sessions.revoked" },
    ]);
  });

  it("keeps later sessions when it is repeated with the same Idempotency-Key", async () => {
    const person = await aUser();
    const earlier = await signInAgain(person);
    const send = () =>
      call(sessions, "DELETE", {
        token: person.accessToken,
        headers: { "idempotency-key": `${person.deviceId}-others` },
      });
    expect((await send()).status).toBe(204);
    const later = await signInAgain(person);
    const again = await send();
    const ids = await idsOf(person);
    expect(ids).toContain(later.sessionId);
    expect(ids).not.toContain(earlier.sessionId);
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("returns 204 again, and writes no audit row when nothing was revoked", async () => {
    const person = await aUser();
    expect((await endOthers(person)).status).toBe(204);
    const [row] = await stores.sql(
      "select count(*) from audit_log where subject_id = $1",
      person.user.id,
    );
    expect(row).toEqual({ count: "0" });
  });
});
