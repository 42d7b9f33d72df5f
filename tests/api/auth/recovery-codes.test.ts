import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import recoveryCodes from "../../../api/auth/recovery-codes.js";
import totp from "../../../api/auth/totp/index.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { useLogLines } from "../../support/log-lines.js";
import { anAddress, aUser, bindEmail, type Person } from "../../support/people.js";
import { enrol } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();

const signIn = ({ email, password }: Person, otp: string) =>
  call(login, "POST", { body: { email, password, otp }, ip: anAddress() });

const renew = (person: Person, headers: Record<string, string> = {}) =>
  call(recoveryCodes, "POST", { token: person.accessToken, headers });

describe("POST /api/auth/recovery-codes", () => {
  it("creates ten new codes and voids the old ones", async () => {
    const person = await aUser();
    const { recoveryCodes: old } = await enrol(stores, person);
    const { status, body } = await renew(person);
    expect(status).toBe(200);
    expect(body.recoveryCodes).toHaveLength(10);
    expect(body.recoveryCodes.filter((code: string) => old.includes(code))).toEqual([]);
    expect(await signIn(person, old[0] ?? "")).toMatchObject({ status: 401, code: "otp_invalid" });
    expect((await signIn(person, body.recoveryCodes[0])).status).toBe(200);
  });

  it("returns 409 for an account without a confirmed second factor", async () => {
    const person = await aUser();
    expect(await renew(person)).toMatchObject({ status: 409, code: "second_factor_missing" });
    await bindEmail(stores, person);
    await call(totp, "POST", { token: person.accessToken });
    expect(await renew(person)).toMatchObject({ status: 409, code: "second_factor_missing" });
  });

  it("returns 403 reauth_required more than ten minutes after the sign-in", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const { sessionId } = person;
    const authenticatedAt = new Date(Date.now() - 601_000);
    const claims = { userId: person.user.id, sessionId, authenticatedAt, authMethods: ["pwd"] };
    const token = await issueAccessToken(env(), claims, new Date());
    const answer = await call(recoveryCodes, "POST", { token });
    expect(answer).toMatchObject({ status: 403, code: "reauth_required" });
  });

  it("returns the same codes for a repeated Idempotency-Key until they are voided", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const headers = { "idempotency-key": randomUUID() };
    const first = await renew(person, headers);
    const again = await renew(person, headers);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    await renew(person);
    const late = await renew(person, headers);
    expect(late).toMatchObject({ status: 409, code: "second_factor_changed" });
  });

  it("costs one Redis round trip and, with the event's row, three Postgres calls", async () => {
    const person = await aUser();
    await enrol(stores, person);
    await stores.resetCalls();
    await renew(person);
    await stores.settled();
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 3 });
  });

  it("notifies the user by mail and writes the audit log and the security log", async () => {
    const person = await aUser();
    await enrol(stores, person);
    await stores.sql("delete from queue_entries");
    await renew(person);
    const [mail] = await stores.sql("select payload from queue_entries");
    expect(JSON.parse(mail?.payload ?? "")).toEqual({
      template: "second_factor_changed",
      to: { userId: person.user.id },
    });
    const audited = await stores.sql(
      "select action from audit_log where subject_id = $1 order by id",
      person.user.id,
    );
    expect(audited.map(({ action }) => action)).toEqual([
      "totp.enabled",
      "recovery_codes.replaced",
    ]);
    expect(logs.read("second_factor_changed").at(-1)).toMatchObject({
      data: { userId: person.user.id, operation: "recovery_codes.replaced" },
    });
  });
});

describe("a recovery code", () => {
  it("signs in once, in any letter case and grouping, and is reported by mail and in the logs", async () => {
    const person = await aUser();
    const [code = ""] = (await enrol(stores, person)).recoveryCodes;
    await stores.sql("delete from queue_entries");
    const typed = code.toLowerCase().replace(/-/g, " ");
    expect((await signIn(person, typed)).status).toBe(200);
    expect(await stores.sql("select id from queue_entries")).toHaveLength(1);
    expect(logs.read("recovery_code_used")).toMatchObject([{ data: { userId: person.user.id } }]);
    const again = await signIn(person, code);
    expect(again).toMatchObject({ status: 401, code: "otp_invalid" });
    const actions = await stores.sql(
      "select action from audit_log where subject_id = $1 and action = 'recovery_code.used'",
      person.user.id,
    );
    expect(actions).toHaveLength(1);
  });

  it("is valid only for its own account", async () => {
    const person = await aUser();
    await enrol(stores, person);
    const [foreign = ""] = (await enrol(stores, await aUser())).recoveryCodes;
    expect(await signIn(person, foreign)).toMatchObject({ status: 401, code: "otp_invalid" });
  });
});
