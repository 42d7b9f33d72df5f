import { describe, expect, it } from "vitest";
import cancelDeletion from "../../../api/auth/cancel-deletion.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import opsFlags from "../../../api/ops/flags/index.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import user from "../../../api/user/index.js";
import preferences from "../../../api/user/preferences.js";
import { copyGateToRedis } from "../../../lib/admission/mirror.js";
import { accessTokenOfAge, expiredToken } from "../../support/aged-token.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { useMailbox } from "../../support/mailbox.js";
import { anOperator, demoteOperators, operate } from "../../support/operators.js";
import { aBoundUser, aGuest, anAddress, aUser, password } from "../../support/people.js";
import { enrol } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();

const remove = (token: string, body?: unknown) =>
  call(user, "DELETE", { token, ...(body ? { body } : {}) });
const signIn = (email: string, given = password) =>
  call(login, "POST", { body: { email, password: given }, ip: anAddress() });

describe("DELETE /api/user", () => {
  it("schedules the deletion in 14 days, ends every session and mails the owner", async () => {
    const ada = await aBoundUser(stores);
    const second = await signIn(ada.email);
    const answer = await remove(ada.accessToken);
    expect(answer.status).toBe(202);
    const days = (Date.parse(answer.body.purgeAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(13.9);
    expect(days).toBeLessThanOrEqual(14);
    expect(answer.body.cancelToken).toMatch(/^cd1\./);
    for (const token of [ada.accessToken, second.body.accessToken]) {
      expect(await call(user, "GET", { token })).toMatchObject({ code: "session_revoked" });
    }
    for (const { refreshToken } of [ada, second.body]) {
      const refreshed = await call(refresh, "POST", { body: { refreshToken } });
      expect(refreshed.code).toBe("session_revoked");
    }
    expect(await stores.redis("EXISTS", `session:${ada.sessionId}`)).toBe(0);
    const [mail] = await mailbox.to(ada.email);
    expect(mail?.subject).toBe("Your account will be deleted");
    expect(mail?.text).toContain(answer.body.cancelToken);
    const [row] = await stores.sql(
      `select (select count(*) from audit_log where action = 'deletion.requested' and subject_id = $1) as audits,
        (select count(*) from security_events where event = 'deletion_requested' and user_id = cast($1 as uuid)) as events`,
      ada.user.id,
    );
    expect(row).toEqual({ audits: "1", events: "1" });
  });

  it("answers a login with deletion_pending only after the right password", async () => {
    const ada = await aBoundUser(stores);
    await remove(ada.accessToken);
    expect((await signIn(ada.email)).code).toBe("deletion_pending");
    expect((await signIn(ada.email, "not the password")).code).toBe("invalid_credentials");
  });

  it("needs the password when the sign-in is over 10 minutes old", async () => {
    const ada = await aBoundUser(stores);
    const token = accessTokenOfAge(ada, 11 * 60_000);
    expect(await remove(token)).toMatchObject({ status: 403, code: "reauth_required" });
    const wrong = await remove(token, { password: "not the password" });
    expect(wrong).toMatchObject({ status: 401, code: "invalid_credentials" });
    expect((await remove(token, { password })).status).toBe(202);
  });

  it("refuses a wrong password of a sign-in that is recent, too", async () => {
    const ada = await aBoundUser(stores);
    const token = accessTokenOfAge(ada, 60_000);
    const wrong = await remove(token, { password: "not the password" });
    expect(wrong).toMatchObject({ status: 401, code: "invalid_credentials" });
    expect((await remove(token)).status).toBe(202);
  });

  it("counts wrong passwords", async () => {
    const ada = await aBoundUser(stores);
    const token = accessTokenOfAge(ada, 11 * 60_000);
    for (let turn = 0; turn < 5; turn++) await remove(token, { password: "not the password" });
    expect((await remove(token, { password })).code).toBe("rate_limited");
  });

  it("needs the second factor, too, where there is one", async () => {
    const ada = await aBoundUser(stores);
    const app = await enrol(stores, ada);
    const token = accessTokenOfAge(ada, 11 * 60_000);
    expect((await remove(token, { password })).code).toBe("otp_required");
    expect((await remove(token, { password, otp: app.code() })).status).toBe(202);
  });

  it("accepts a token of reauthenticate", async () => {
    const ada = await aBoundUser(stores);
    const old = accessTokenOfAge(ada, 11 * 60_000);
    const { body } = await call(reauthenticate, "POST", { token: old, body: { password } });
    expect((await remove(body.accessToken)).status).toBe(202);
  });

  it("gives parallel requests the same date and token", async () => {
    const ada = await aBoundUser(stores);
    const others = [await signIn(ada.email), await signIn(ada.email)];
    const tokens = [ada.accessToken, ...others.map(({ body }) => body.accessToken)];
    const answers = await Promise.all(tokens.map((token) => remove(token)));
    const accepted = answers.filter(({ status }) => status === 202);
    expect(new Set(accepted.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(accepted).toHaveLength(answers.length);
    const mails = await mailbox.to(ada.email);
    expect(mails.filter(({ subject }) => subject.includes("deleted")).length).toBe(1);
  });

  it("gives the token again to a caller who repeats the request", async () => {
    const ada = await aBoundUser(stores);
    const first = await remove(ada.accessToken);
    const again = await remove(ada.accessToken);
    expect([again.status, again.body]).toEqual([202, first.body]);
    const body = { cancelToken: again.body.cancelToken };
    expect((await call(cancelDeletion, "POST", { body, ip: anAddress() })).status).toBe(204);
    expect((await remove(ada.accessToken)).code).toBe("session_revoked");
    const subjects = (await mailbox.to(ada.email))
      .map(({ subject }) => subject)
      .filter((subject) => subject.includes("deleted"))
      .sort();
    expect(subjects).toEqual(["Your account will be deleted", "Your account will not be deleted"]);
  });

  it("gives it with an expired token of the ended session, too, but only with the password", async () => {
    const ada = await aBoundUser(stores);
    const expired = expiredToken(ada);
    expect((await remove(expired, { password })).code).toBe("token_expired");
    const { body } = await remove(ada.accessToken);
    expect((await remove(expired)).code).toBe("reauth_required");
    expect((await remove(expired, { password: "not the password" })).code).toBe(
      "invalid_credentials",
    );
    expect(await remove(expired, { password })).toMatchObject({ status: 202, body });
  });

  it("gives it to no session that ended for another reason, and not after the grace period", async () => {
    const ada = await aBoundUser(stores);
    const other = await signIn(ada.email);
    await call(logout, "POST", { token: other.body.accessToken });
    await remove(ada.accessToken);
    expect((await remove(other.body.accessToken, { password })).code).toBe("session_revoked");
    await stores.sql("update users set purge_at = now() where id = $1", ada.user.id);
    expect((await remove(ada.accessToken, { password })).code).toBe("session_revoked");
  });

  it("is refused to a session that only Redis or only Postgres knows as ended", async () => {
    const [ada, grace] = [await aBoundUser(stores), await aBoundUser(stores)];
    await stores.redis("DEL", `session:${ada.sessionId}`);
    expect((await remove(ada.accessToken)).code).toBe("session_revoked");
    await stores.sql("update sessions set revoked_at = now() where id = $1", grace.sessionId);
    expect((await remove(grace.accessToken)).code).toBe("session_revoked");
    expect(
      await stores.sql(
        "select 1 from users where deletion_id is not null and id = $1",
        ada.user.id,
      ),
    ).toEqual([]);
  });

  it("ends the ten sessions of a user", async () => {
    const ada = await aBoundUser(stores);
    const tokens = [ada.accessToken];
    while (tokens.length < 10) {
      await stores.liftLimits();
      tokens.push((await signIn(ada.email)).body.accessToken);
    }
    await remove(ada.accessToken);
    await stores.liftLimits();
    for (const token of tokens) {
      expect((await call(user, "GET", { token })).code).toBe("session_revoked");
    }
  });

  it("erases a guest at once", async () => {
    const guest = await aGuest();
    const old = accessTokenOfAge(guest, 11 * 60_000, []);
    const answer = await remove(old);
    expect(answer).toMatchObject({ status: 202, body: { cancelToken: null } });
    expect(await stores.sql("select 1 from users where id = $1", guest.user.id)).toEqual([]);
    expect(
      await stores.sql("select 1 from erasures where user_id = $1", guest.user.id),
    ).toHaveLength(1);
    expect(await call(user, "GET", { token: guest.accessToken })).toMatchObject({ status: 401 });
  });

  it("does not erase a guest that registers at the same time", async () => {
    for (let turn = 0; turn < 4; turn++) {
      const guest = await aGuest();
      const email = `late-${guest.user.id}@example.com`;
      const [removed, upgraded] = await Promise.all([
        remove(guest.accessToken),
        call(register, "POST", {
          token: guest.accessToken,
          body: { email, password, name: "Ada", acceptedTerms: true },
          ip: anAddress(),
        }),
      ]);
      const rows = await stores.sql("select is_guest from users where id = $1", guest.user.id);
      if (removed.status === 202 && removed.body.cancelToken === null) expect(rows).toEqual([]);
      else expect([removed.status, upgraded.status, rows.length]).toEqual([401, 201, 1]);
    }
  });

  it("is refused to the last admin, and for one of two admins suspends the operator tokens", async () => {
    await demoteOperators(stores);
    const admin = await anOperator(stores, "admin");
    expect(await remove(admin.token)).toMatchObject({ status: 409, code: "last_admin" });
    const other = await anOperator(stores, "admin");
    const created = await operate(operatorTokens, "POST", other.token, {
      name: `robot-${other.user.id}`,
      scopes: ["flag:read"],
      ttlSeconds: 3600,
    });
    const token = created.body.detail.token as string;
    expect((await call(opsFlags, "GET", { token })).status).toBe(200);
    expect((await remove(other.token)).status).toBe(202);
    expect((await call(opsFlags, "GET", { token })).code).toBe("operator_token_ended");
    expect((await remove(admin.token)).code).toBe("last_admin");
    await demoteOperators(stores);
  });

  it("works while Redis is down, and the sessions stay ended when Redis is back", async () => {
    const ada = await aBoundUser(stores);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await remove(ada.accessToken)).status).toBe(202);
    await stores.faults.redis.set(null);
    expect((await call(user, "GET", { token: ada.accessToken })).code).toBe("session_revoked");
    await copyGateToRedis(aContext());
  });

  it("answers 503 and changes nothing while Postgres refuses writes", async () => {
    const ada = await aBoundUser(stores);
    await stores.faults.postgres.set({
      kind: "unavailable",
      match: (body) => /insert|update|delete/i.test(JSON.stringify(body)),
    });
    expect((await remove(ada.accessToken)).status).toBe(503);
    await stores.faults.postgres.set(null);
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
  });

  it("writes no preferences of an account that was erased while the write was in flight", async () => {
    const ada = await aUser();
    await stores.sql("delete from users where id = $1", ada.user.id);
    const { body } = await call(preferences, "GET", { token: ada.accessToken });
    const written = await call(preferences, "PUT", {
      token: ada.accessToken,
      body,
      headers: { "if-match": "*" },
    });
    expect(written).toMatchObject({ status: 412, code: "precondition_failed" });
    const [{ count } = { count: null }] = await stores.sql(
      "select count(*) from preferences where user_id = $1",
      ada.user.id,
    );
    expect(count).toBe("0");
  });

  it("costs one Redis round trip for the request and one for the sessions", async () => {
    const ada = await aBoundUser(stores);
    await stores.resetCalls();
    await remove(ada.accessToken);
    const { redisTrips, postgresCalls } = stores.calls();
    expect({ redisTrips, postgresCalls }).toEqual({ redisTrips: 2, postgresCalls: 3 });
  });
});
