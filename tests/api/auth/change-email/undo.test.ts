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

/** Moves the account to a new address; the token that undoes it is what the old address was mailed. */
async function moved({ accessToken: token, user: { id } }: Person) {
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
const takeBack = (token: string, headers: Record<string, string> = {}) =>
  call(undo, "POST", { body: { token }, headers });
const emailOf = async ({ user: { id } }: Person) => {
  const [row] = await stores.sql("select email from users where id = $1", id);
  return row?.email;
};

describe("POST /api/auth/change-email/undo", () => {
  it("gives the account back to the old address, and ends all sessions", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await moved(person);
    const thief = (await call(login, "POST", { body: { email, password } })).body;
    expect((await takeBack(token)).status).toBe(204);
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

  it("ends the password too, which its owner chooses anew by mail", async () => {
    const person = await aConfirmedUser(stores);
    await takeBack((await moved(person)).token);
    const { email } = person;
    expect((await call(login, "POST", { body: { email, password } })).status).toBe(401);
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    const code = await mailedCode(stores, "reset_password", email);
    const body = { email, code, password: "a battery that is new" };
    expect((await call(resetPassword, "POST", { body })).status).toBe(204);
    const again = await call(login, "POST", { body: { email, password: body.password } });
    expect(again.body.user).toEqual(person.user);
  });

  it("voids the codes that the new address was mailed", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await moved(person);
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    await takeBack(token);
    const left = await stores.sql("select 1 from mail_codes where user_id = $1", person.user.id);
    expect(left).toEqual([]);
  });

  it("works once", async () => {
    const { token } = await moved(await aConfirmedUser(stores));
    expect((await takeBack(token)).status).toBe(204);
    expect(await takeBack(token)).toMatchObject({ status: 422, code: "code_invalid" });
  });

  it("answers a repetition under the same key as the first time", async () => {
    const { token } = await moved(await aConfirmedUser(stores));
    const headers = { "idempotency-key": randomBytes(16).toString("base64url") };
    expect((await takeBack(token, headers)).status).toBe(204);
    const again = await takeBack(token, headers);
    expect(again.status).toBe(204);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("takes later changes back with the one it undoes, and none of them can undo it", async () => {
    const person = await aConfirmedUser(stores);
    const first = await moved(person);
    const second = await moved(person);
    expect((await takeBack(first.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(person.email);
    expect((await takeBack(second.token)).code).toBe("code_invalid");
    expect(await emailOf(person)).toBe(person.email);
  });

  it("reaches past a later change that was undone by itself", async () => {
    const person = await aConfirmedUser(stores);
    const first = await moved(person);
    const second = await moved(person);
    expect((await takeBack(second.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(first.email);
    expect((await takeBack(first.token)).status).toBe(204);
    expect(await emailOf(person)).toBe(person.email);
  });

  it("refuses a token after seven days, and one that we did not make", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await moved(person);
    await stores.sql(
      "update email_changes set expires_at = now() - interval '1 second' where user_id = $1",
      person.user.id,
    );
    for (const wrong of [token, `${token.slice(0, -1)}!`, undoToken(env(), randomUUID()), "ue1"]) {
      expect(await takeBack(wrong)).toMatchObject({ status: 422, code: "code_invalid" });
    }
    expect(await emailOf(person)).toBe(email);
  });

  it("refuses when somebody else has confirmed the old address since, and changes nothing", async () => {
    const person = await aConfirmedUser(stores);
    const { email, token } = await moved(person);
    const next = await aConfirmedUser(stores, { email: person.email });
    expect(await takeBack(token)).toMatchObject({ status: 422, code: "code_invalid" });
    expect(await emailOf(person)).toBe(email);
    expect(await emailOf(next)).toBe(person.email);
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
  });

  it("takes the thief's second factor away, and leaves the owner's", async () => {
    const [robbed, careful] = [await aConfirmedUser(stores), await aConfirmedUser(stores)];
    for (const person of [robbed, careful]) await enrol(stores, person);
    await stores.sql(
      "update second_factors set confirmed_at = now() - interval '8 days' where user_id = $1",
      careful.user.id,
    );
    const ownCodes = "update recovery_codes set created_at = now() - interval '8 days'";
    await stores.sql(`${ownCodes} where user_id = $1`, careful.user.id);
    const answers: (string | undefined)[] = [];
    for (const person of [robbed, careful]) {
      expect((await takeBack((await moved(person)).token)).status).toBe(204);
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
      robbed.user.id,
      careful.user.id,
    );
    expect(left).toEqual([{ user_id: careful.user.id }]);
  });

  it("voids the recovery codes that a thief made, and leaves the owner's factor", async () => {
    const person = await aConfirmedUser(stores);
    await enrol(stores, person);
    await stores.sql(
      "update second_factors set confirmed_at = now() - interval '8 days' where user_id = $1",
      person.user.id,
    );
    expect((await takeBack((await moved(person)).token)).status).toBe(204);
    const { id } = person.user;
    expect(await stores.sql("select from recovery_codes where user_id = $1", id)).toEqual([]);
    expect(await stores.sql("select from second_factors where user_id = $1", id)).toHaveLength(1);
  });

  it("knows the token that was mailed before DATA_KEY was changed", async () => {
    const [before, after] = ["a".repeat(40), "b".repeat(40)];
    setEnvironment({ DATA_KEY: before });
    const { token } = await moved(await aConfirmedUser(stores));
    setEnvironment({ DATA_KEY: after });
    expect((await takeBack(token)).status).toBe(422);
    setEnvironment({ DATA_KEY: after, DATA_KEY_PREVIOUS: before });
    expect((await takeBack(token)).status).toBe(204);
  });

  it("needs no session, and exactly a token", async () => {
    const { accessToken } = await aUser();
    for (const body of [{}, { token: "" }, { token: "x".repeat(257) }, { token: "x", y: 1 }]) {
      expect((await call(undo, "POST", { body, token: accessToken })).status).toBe(422);
    }
  });

  it("answers 503 while Postgres is away", async () => {
    const { token } = await moved(await aConfirmedUser(stores));
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await takeBack(token)).status).toBe(503);
    await stores.faults.postgres.set(null);
    expect((await takeBack(token)).status).toBe(204);
  });
});
