import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import blocks from "../../../api/ops/blocks/index.js";
import revocations from "../../../api/ops/revocations.js";
import sessionRoute from "../../../api/ops/sessions/[sessionId].js";
import sessions from "../../../api/ops/sessions/index.js";
import user from "../../../api/user/index.js";
import { sweepSessionKeys } from "../../../lib/auth/session/sweep-session-keys.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { aContext } from "../../support/context.js";
import { drained } from "../../support/drained.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, aGuest, anAddress, aUser, password } from "../../support/people.js";
import { freshToken } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const clock = useStillClock();

/** Each test's clock restarts: a revocation must not affect the next test. */
beforeEach(async () => {
  await stores.sql("update security_settings set revoke_all_before = to_timestamp(0)");
  await stores.redis("HDEL", "gate", "revokeAllBefore");
});

async function signedIn(): Promise<OperatorPerson> {
  return anOperator(stores, "operator");
}

const listOf = (operator: OperatorPerson, userId: string) =>
  call(sessions, "GET", {
    token: operator.token,
    url: `http://localhost:8080/api/ops/sessions?user=${userId}`,
  });
const show = (operator: OperatorPerson, id: string) =>
  call(sessionRoute, "GET", {
    token: operator.token,
    url: `http://localhost:8080/api/ops/sessions/${id}`,
  });

describe("GET /api/ops/sessions", () => {
  it("lists an account's live and ended sessions, without tokens", async () => {
    const operator = await signedIn();
    const person = await aBoundUser(stores);
    clock.advance(1);
    const body = { email: person.email, password, device: { id: "device-2", name: "Phone" } };
    const second = (await call(login, "POST", { body, ip: anAddress() })).body;
    await operate(revocations, "POST", operator.token, { session: person.sessionId });
    const { body: list } = await listOf(operator, person.user.id);
    expect(list.items).toMatchObject([
      { id: second.sessionId, state: "live", deviceName: "Phone", role: "user" },
      { id: person.sessionId, state: "revoked", revokedReason: "revoked_by_operator" },
    ]);
    expect(JSON.stringify(list)).not.toMatch(/eyJ[\w-]*\.|rt1\.|hash/i);
  });
});

describe("the account of a session or a request", () => {
  it("can be named by the ID of each, to list and to revoke its sessions and to block it", async () => {
    const operator = await signedIn();
    const person = await aUser();
    const { accessToken: token, sessionId } = person;
    const correlationId = `of-${sessionId.replace(/\W/g, "x")}`;
    const headers = { "x-correlation-id": correlationId };
    await call(user, "PATCH", { token, headers, body: { name: "Grace" } });
    await drained(stores);
    for (const name of [sessionId, correlationId]) {
      expect((await listOf(operator, name)).body.items).toMatchObject([{ userId: person.user.id }]);
      const dry = { user: name, dryRun: true };
      expect((await operate(revocations, "POST", operator.token, dry)).body.detail).toMatchObject({
        userId: person.user.id,
        sessions: 1,
      });
      const block = { kind: "user", value: name, ttlSeconds: 60, dryRun: true };
      expect((await operate(blocks, "POST", operator.token, block)).body.done).toContain(
        person.user.id,
      );
    }
  });

  it("returns 404 for an unknown ID, and for an IP address 422 with the command to use", async () => {
    const operator = await signedIn();
    for (const name of [randomUUID(), "x".repeat(22), "unknown"]) {
      expect(await listOf(operator, name)).toMatchObject({ status: 404, code: "not_found" });
      const answer = await operate(revocations, "POST", operator.token, { user: name });
      expect(answer).toMatchObject({ status: 404, code: "not_found" });
    }
    const answer = await operate(revocations, "POST", operator.token, { user: "203.0.113.7" });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
    expect(answer.body.errors[0].message).toContain("block ip");
  });
});

describe("GET /api/ops/sessions/:sessionId", () => {
  it("shows the session in Postgres and its key in Redis", async () => {
    const operator = await signedIn();
    const { sessionId } = await aUser();
    const answer = await show(operator, sessionId);
    expect(answer.body).toMatchObject({ state: "live", key: "present", keyRole: "user" });
    await stores.redis("DEL", `session:${sessionId}`);
    expect((await show(operator, sessionId)).body).toMatchObject({ key: "missing" });
    expect(await show(operator, "x".repeat(22))).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("POST /api/ops/revocations", () => {
  it("revokes one session, as deleting session:<id> in Redis does", async () => {
    const operator = await signedIn();
    const [byName, byHand] = [await aUser(), await aUser()];
    const revoked = await operate(revocations, "POST", operator.token, {
      session: byName.sessionId,
    });
    expect(revoked.body).toMatchObject({
      done: `Revoked session ${byName.sessionId}. There is no undo: the user signs in again, a guest cannot.`,
      undo: null,
    });
    expect(await stores.redis("KEYS", `session:${byName.sessionId}`)).toEqual([]);
    expect(await stores.redis("KEYS", "session:*")).toContain(`session:${byHand.sessionId}`);
    await stores.redis("DEL", `session:${byHand.sessionId}`);
    for (const { accessToken: token } of [byName, byHand]) {
      expect((await call(user, "GET", { token })).code).toBe("session_revoked");
    }
    const unknown = await operate(revocations, "POST", operator.token, { session: "nothing" });
    expect(unknown).toMatchObject({ status: 404, code: "not_found" });
    const again = await operate(revocations, "POST", operator.token, { session: byName.sessionId });
    expect(again.body.done).toMatch(/was already revoked/);
  });

  it("revokes all sessions of a user, and only counts them in a dry run", async () => {
    const operator = await signedIn();
    const person = await aBoundUser(stores);
    await call(login, "POST", { body: { email: person.email, password }, ip: anAddress() });
    const body = { user: person.email };
    const dry = await operate(revocations, "POST", operator.token, { ...body, dryRun: true });
    expect(dry.body).toMatchObject({ dryRun: true, detail: { sessions: 2 } });
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    const done = await operate(revocations, "POST", operator.token, body);
    expect(done.body.detail).toMatchObject({ sessions: 2 });
    expect((await call(user, "GET", { token: person.accessToken })).code).toBe("session_revoked");
  });

  it("counts live sessions only, as `find` does, and also ends the others", async () => {
    const operator = await signedIn();
    const person = await aBoundUser(stores);
    const second = { body: { email: person.email, password }, ip: anAddress() };
    const { body: other } = await call(login, "POST", second);
    await stores.sql(
      "update sessions set idle_expires_at = now() - interval '1 second' where id = $1",
      other.sessionId,
    );
    const body = { user: person.email };
    const dry = await operate(revocations, "POST", operator.token, { ...body, dryRun: true });
    expect(dry.body.detail).toMatchObject({ sessions: 1 });
    const done = await operate(revocations, "POST", operator.token, body);
    expect(done.body).toMatchObject({
      done: `Revoked 1 session of ${person.user.id}. There is no undo: the user signs in again, a guest cannot.`,
      detail: { sessions: 1 },
    });
    const rows = "select from sessions where user_id = $1 and revoked_at is null";
    expect(await stores.sql(rows, person.user.id)).toEqual([]);
  });

  it("returns 422 unless exactly one of session, user and everybody is given", async () => {
    const operator = await signedIn();
    for (const body of [{}, { user: operator.user.id, everybody: true }, { everybody: false }]) {
      const answer = await operate(revocations, "POST", operator.token, body);
      expect(answer.code).toBe("validation_failed");
    }
  });

  describe("with everybody: true", () => {
    let operator: OperatorPerson;
    beforeAll(async () => {
      operator = await signedIn();
    });

    it("reports in a dry run how many sessions and guests are affected", async () => {
      await aGuest();
      const token = await freshToken(operator, operator.app.code(1));
      const dry = await operate(revocations, "POST", token, { everybody: true, dryRun: true });
      expect(dry.body.done).toMatch(
        /live, [1-9]\d* of them guest sessions\. Guests cannot sign in again/,
      );
    });

    it("revokes all earlier sessions including the caller's own, and no later ones", async () => {
      const [person, actor] = [await aUser(), await signedIn()];
      clock.advance(2);
      const done = await operate(revocations, "POST", actor.token, { everybody: true });
      expect(done.body).toMatchObject({ inForce: true });
      for (const token of [person.accessToken, actor.token]) {
        expect((await call(user, "GET", { token })).code).toBe("session_revoked");
      }
      clock.advance(1);
      const later = await aUser();
      expect((await call(user, "GET", { token: later.accessToken })).status).toBe(200);
      const correlationId = done.headers.get("x-correlation-id");
      const rows = await stores.sql(
        "select action, subject_id from audit_log where correlation_id = $1",
        correlationId,
      );
      expect(rows).toEqual([{ action: "sessions.revoked_all", subject_id: "everybody" }]);
    });

    it("applies while Redis is unavailable, and after Redis returns and is synchronized", async () => {
      const [person, actor] = [await aUser(), await signedIn()];
      clock.advance(2);
      await stores.faults.redis.set({ kind: "reset" });
      const done = await operate(revocations, "POST", actor.token, { everybody: true });
      expect(done.body).toMatchObject({ inForce: false });
      const read = () => call(user, "GET", { token: person.accessToken });
      expect((await read()).code).toBe("session_revoked");
      await stores.faults.redis.set(null);
      // Redis is skipped for two seconds after it failed.
      await expect
        .poll(
          () =>
            sweepSessionKeys(aContext()).then(
              () => true,
              () => false,
            ),
          {
            timeout: 10_000,
          },
        )
        .toBe(true);
      expect((await read()).code).toBe("session_revoked");
    });
  });
});
