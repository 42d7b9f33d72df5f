import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import confirm from "../../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../../api/auth/change-email/index.js";
import undo from "../../../../api/auth/change-email/undo.js";
import forgotPassword from "../../../../api/auth/forgot-password.js";
import login from "../../../../api/auth/login.js";
import resetPassword from "../../../../api/auth/reset-password.js";
import user from "../../../../api/user/index.js";
import { env } from "../../../../lib/env.js";
import { undoToken } from "../../../../lib/mail/undo-token.js";
import { call } from "../../../support/call.js";
import { setEnvironment, useEnvironment } from "../../../support/environment.js";
import { aConfirmedUser, mailedCode, queuedMail } from "../../../support/mailed-codes.js";
import { anAddress, aUser, type Person, password } from "../../../support/people.js";
import { enrol } from "../../../support/second-factor.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();
useEnvironment();

/** Changes the account's address. Returns the new address and the undo token mailed to the old one. */
async function changeAddress({ accessToken: token, user: { id } }: Person) {
  const email = `new-${randomUUID()}@example.com`;
  await call(changeEmail, "POST", { token, body: { email } });
  const code = await mailedCode(stores, "change_email", email);
  expect((await call(confirm, "POST", { token, body: { code } })).status).toBe(200);
  const [change] = await stores.sql(
    "select id from email_changes where user_id = $1 order by created_at desc limit 1",
    id,
  );
  return { email, token: undoToken(env(), change?.id ?? "") };
}
const sendUndo = (token: string, headers: Record<string, string> = {}) =>
  call(undo, "POST", { body: { token }, headers });
const emailOf = async ({ user: { id } }: Person) => {
  const [row] = await stores.sql("select email from users where id = $1", id);
  return row?.email;
};

describe("POST /api/auth/change-email/undo", () => {
  it("restores the old address and revokes all sessions", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await changeAddress(person);
    const thief = (await call(login, "POST", { body: { email, password } })).body;
    expect((await sendUndo(token)).status).toBe(204);
    expect(await emailOf(person)).toBe(person.email);
    for (const { accessToken, sessionId } of [person, thief]) {
      expect((await call(user, "GET", { token: accessToken })).code).toBe("session_revoked");
      expect(await stores.redis("EXISTS", `session:${sessionId}`)).toBe(0);
    }
    const audited = await stores.sql(
      "select count(*) from audit_log where action = 'email.change_undone' and subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ count: "1" }]);
    expect((await queuedMail(stores, { userId: person.user.id })).at(-1)).toMatchObject({
      template: "email_change_undone",
    });
  });

  it("removes the password, which the owner sets again with a reset mail", async () => {
    const person = await aConfirmedUser(stores);
    await sendUndo((await changeAddress(person)).token);
    const { email } = person;
    expect((await call(login, "POST", { body: { email, password } })).status).toBe(401);
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    const code = await mailedCode(stores, "reset_password", email);
    const body = { email, code, password: "a battery that is new" };
    expect((await call(resetPassword, "POST", { body })).status).toBe(204);
    const again = await call(login, "POST", { body: { email, password: body.password } });
    expect(again.body.user).toEqual(person.user);
  });

  it("voids the codes that were mailed to the new address", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await changeAddress(person);
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    await sendUndo(token);
    const left = await stores.sql("select 1 from mail_codes where user_id = $1", person.user.id);
    expect(left).toEqual([]);
  });

  it("accepts each token once", async () => {
    const { token } = await changeAddress(await aConfirmedUser(stores));
    expect((await sendUndo(token)).status).toBe(204);
    expect(await sendUndo(token)).toMatchObject({ status: 422, code: "code_invalid" });
  });

  it("returns the first response again for a repeated Idempotency-Key", async () => {
    const { token } = await changeAddress(await aConfirmedUser(stores));
    const headers = { "idempotency-key": randomBytes(16).toString("base64url") };
    expect((await sendUndo(token, headers)).status).toBe(204);
    const again = await sendUndo(token, headers);
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("also undoes later changes, whose tokens then stop working", async () => {
    const person = await aConfirmedUser(stores);
    const first = await changeAddress(person);
    const second = await changeAddress(person);
    expect((await sendUndo(first.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(person.email);
    expect((await sendUndo(second.token)).code).toBe("code_invalid");
    expect(await emailOf(person)).toBe(person.email);
  });

  it("undoes an earlier change after a later one was undone separately", async () => {
    const person = await aConfirmedUser(stores);
    const first = await changeAddress(person);
    const second = await changeAddress(person);
    expect((await sendUndo(second.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(first.email);
    expect((await sendUndo(first.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(person.email);
  });

  it("returns 422 for an expired token (seven days) and for a forged one", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await changeAddress(person);
    await stores.sql(
      "update email_changes set expires_at = now() - interval '1 second' where user_id = $1",
      person.user.id,
    );
    for (const wrong of [token, `${token.slice(0, -1)}!`, undoToken(env(), randomUUID()), "ue1"]) {
      expect(await sendUndo(wrong)).toMatchObject({ status: 422, code: "code_invalid" });
    }
    expect(await emailOf(person)).toBe(email);
  });

  it("returns 422 and changes nothing when another account has confirmed the old address since", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await changeAddress(person);
    const next = await aConfirmedUser(stores, { email: person.email });
    expect(await sendUndo(token)).toMatchObject({ status: 422, code: "code_invalid" });
    expect(await emailOf(person)).toBe(email);
    expect(await emailOf(next)).toBe(person.email);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("removes a second factor added after the change and keeps an older one", async () => {
    const [withNewFactor, withOldFactor] = [
      await aConfirmedUser(stores),
      await aConfirmedUser(stores),
    ];
    for (const person of [withNewFactor, withOldFactor]) await enrol(stores, person);
    await stores.sql(
      "update second_factors set confirmed_at = now() - interval '8 days' where user_id = $1",
      withOldFactor.user.id,
    );
    const ownCodes = "update recovery_codes set created_at = now() - interval '8 days'";
    await stores.sql(`${ownCodes} where user_id = $1`, withOldFactor.user.id);
    const answers: (string | undefined)[] = [];
    for (const person of [withNewFactor, withOldFactor]) {
      expect((await sendUndo((await changeAddress(person)).token)).status).toBe(204);
      await call(forgotPassword, "POST", { body: { email: person.email }, ip: anAddress() });
      const code = await mailedCode(stores, "reset_password", person.email);
      const body = { email: person.email, code, password: "a battery that is new" };
      expect((await call(resetPassword, "POST", { body })).status).toBe(204);
      const { email, password } = body;
      answers.push((await call(login, "POST", { body: { email, password } })).code);
    }
    expect(answers).toEqual([undefined, "otp_required"]);
    const left = await stores.sql(
      "select distinct user_id from recovery_codes where user_id in ($1, $2)",
      withNewFactor.user.id,
      withOldFactor.user.id,
    );
    expect(left).toEqual([{ user_id: withOldFactor.user.id }]);
  });

  it("voids recovery codes created after the change and keeps an older second factor", async () => {
    const person = await aConfirmedUser(stores);
    await enrol(stores, person);
    await stores.sql(
      "update second_factors set confirmed_at = now() - interval '8 days' where user_id = $1",
      person.user.id,
    );
    expect((await sendUndo((await changeAddress(person)).token)).status).toBe(204);
    const { id } = person.user;
    expect(await stores.sql("select from recovery_codes where user_id = $1", id)).toEqual([]);
    expect(await stores.sql("select from second_factors where user_id = $1", id)).toHaveLength(1);
  });

  it("accepts a token signed with DATA_KEY_PREVIOUS", async () => {
    const [before, after] = ["a".repeat(40), "b".repeat(40)];
    setEnvironment({ DATA_KEY: before });
    const { token } = await changeAddress(await aConfirmedUser(stores));
    setEnvironment({ DATA_KEY: after });
    expect((await sendUndo(token)).status).toBe(422);
    setEnvironment({ DATA_KEY: after, DATA_KEY_PREVIOUS: before });
    expect((await sendUndo(token)).status).toBe(204);
  });

  it("returns 422 for a body that is not exactly one token, and needs no session", async () => {
    const { accessToken } = await aUser();
    for (const body of [{}, { token: "" }, { token: "x".repeat(257) }, { token: "x", y: 1 }]) {
      expect((await call(undo, "POST", { body, token: accessToken })).status).toBe(422);
    }
  });

  it("returns 503 while Postgres is unavailable, and the token stays valid", async () => {
    const { token } = await changeAddress(await aConfirmedUser(stores));
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await sendUndo(token)).status).toBe(503);
    await stores.faults.postgres.set(null);
    expect((await sendUndo(token)).status).toBe(204);
  });
});
