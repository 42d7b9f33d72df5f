import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import user from "../../../../api/user/index.js";
import { call } from "../../../support/call.js";
import { aBoundUser, aUser, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

async function logIn({ email }: Person, deviceId?: string): Promise<Person> {
  const device = deviceId === undefined ? {} : { device: { id: deviceId } };
  const { status, body } = await call(login, "POST", { body: { email, password, ...device } });
  expect(status).toBe(200);
  return body;
}
const read = ({ accessToken: token }: Person) => call(user, "GET", { token });
async function events(event: string, { user: { id } }: Person) {
  await stores.settled();
  return stores.sql("select * from security_events where event = $1 and user_id = $2", event, id);
}

describe("one user's sessions", () => {
  it("are limited to ten: the oldest is revoked, with an event", async () => {
    const person = await aBoundUser(stores);
    const later = [];
    for (let session = 1; session < 10; session++) later.push(await logIn(person));
    expect((await read(person)).status).toBe(200);
    expect(await events("session_displaced", person)).toEqual([]);
    await logIn(person);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
    for (const other of later) expect((await read(other)).status).toBe(200);
    const [row] = await stores.sql("select * from sessions where id = $1", person.sessionId);
    expect(row).toMatchObject({ revoked_reason: "too_many_sessions" });
    expect(await stores.redis("EXISTS", `session:${person.sessionId}`)).toBe(0);
    const rows = await events("session_displaced", person);
    expect(rows.map(({ data }) => JSON.parse(data ?? ""))).toEqual([
      { sessionId: person.sessionId },
    ]);
  });

  it.each([
    [
      "reached the idle timeout",
      "update sessions set idle_expires_at = now() - interval '1 second' where user_id = $1 and id <> $2",
    ],
    [
      "expired",
      "update sessions set expires_at = now() - interval '1 second' where user_id = $1 and id <> $2",
    ],
    [
      "were revoked with all sessions",
      `with changed as (update security_settings set revoke_all_before = now() - interval '1 hour')
        update sessions set created_at = now() - interval '2 hours'
        where user_id = $1 and id <> $2`,
    ],
  ])("are not revoked because of sessions that %s", async (_, ending) => {
    const person = await aBoundUser(stores);
    for (let session = 1; session < 10; session++) await logIn(person);
    await stores.sql(
      "update sessions set created_at = now() - interval '50 minutes' where id = $1",
      person.sessionId,
    );
    await stores.sql(ending, person.user.id, person.sessionId);
    await logIn(person);
    expect((await read(person)).status).toBe(200);
    expect(await events("session_displaced", person)).toEqual([]);
    await stores.sql("update security_settings set revoke_all_before = to_timestamp(0)");
  });

  it("are not revoked because of another user's sessions", async () => {
    const [person, other] = [await aBoundUser(stores), await aBoundUser(stores)];
    for (let session = 0; session < 10; session++) await logIn(other);
    expect((await read(person)).status).toBe(200);
  });
});

describe("a sign-in on a new device", () => {
  it("is reported once, and not at registration", async () => {
    const person = await aBoundUser(stores);
    expect(await events("new_device", person)).toEqual([]);
    await logIn(person, person.deviceId);
    expect(await events("new_device", person)).toEqual([]);
    const device = randomUUID();
    await logIn(person, device);
    await logIn(person, device);
    expect(await events("new_device", person)).toMatchObject([{ count: "1" }]);
  });
});

describe("a sign-in without a device ID", () => {
  it("is not reported as a new device", async () => {
    const person = await aUser({ device: undefined });
    for (let session = 0; session < 2; session++) await logIn(person);
    expect(await events("new_device", person)).toEqual([]);
  });
});

describe("a sign-in to an account that changes during the request", () => {
  it.each([
    ["a new password", "password_hash = 'changed'"],
    ["a suspension", "suspended_at = now()"],
    ["a deletion request", "purge_at = now()"],
  ])("writes nothing and returns 503 with Retry-After: %s", async (_, change) => {
    const person = await aBoundUser(stores);
    let isChanged = false;
    // The login's second call to Postgres inserts the session.
    const changeBefore = async (body: unknown) => {
      const isInsert = JSON.stringify(body).includes("knows_device");
      if (isInsert && !isChanged) {
        isChanged = true;
        await stores.sql(`update users set ${change} where id = $1`, person.user.id);
      }
      return isInsert;
    };
    await stores.faults.postgres.set({ kind: "latency", ms: 1, match: changeBefore });
    const body = { email: person.email, password };
    const key = randomUUID();
    const answer = await call(login, "POST", { body, headers: { "idempotency-key": key } });
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(answer.headers.get("retry-after")).toBe("1");
    const rows = await stores.sql("select from sessions where user_id = $1", person.user.id);
    expect(rows).toHaveLength(1);
    expect(
      await stores.sql(
        "select from idempotency_keys where result_id in (select id from sessions where user_id = $1)",
        person.user.id,
      ),
    ).toEqual([]);
  });
});
