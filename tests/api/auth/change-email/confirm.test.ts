import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import confirm from "../../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../../api/auth/change-email/index.js";
import forgotPassword from "../../../../api/auth/forgot-password.js";
import login from "../../../../api/auth/login.js";
import user from "../../../../api/user/index.js";
import { call } from "../../../support/call.js";
import {
  aConfirmedUser,
  mailedCode,
  otherCode,
  queuedMail,
} from "../../../support/mailed-codes.js";
import { aUser, type Person, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

async function requestChange({ accessToken: token }: Person) {
  const email = `new-${randomUUID()}@example.com`;
  expect((await call(changeEmail, "POST", { token, body: { email } })).status).toBe(202);
  return { email, code: await mailedCode(stores, "change_email", email) };
}
const sendCode = (
  { accessToken: token }: Person,
  code: string,
  headers: Record<string, string> = {},
) => call(confirm, "POST", { token, body: { code }, headers });
const signIn = (email: string) => call(login, "POST", { body: { email, password } });

describe("POST /api/auth/change-email/confirm", () => {
  it("changes the account's address, revokes the other sessions, and keeps the current one", async () => {
    const person = await aConfirmedUser(stores);
    const other = (await signIn(person.email)).body;
    const { email, code } = await requestChange(person);
    const { status, body } = await sendCode(person, code.toLowerCase());
    expect(status).toBe(200);
    expect(body).toEqual({ ...person.user, email });
    expect((await call(user, "GET", { token: person.accessToken })).body).toEqual(body);
    const ended = await call(user, "GET", { token: other.accessToken });
    expect(ended.code).toBe("session_revoked");
    expect(await stores.redis("EXISTS", `session:${other.sessionId}`)).toBe(0);
    expect((await signIn(email)).status).toBe(200);
    expect((await signIn(person.email)).status).toBe(401);
  });

  it("notifies the old address, which can undo the change for seven days, and writes audit rows", async () => {
    const person = await aConfirmedUser(stores);
    const { code } = await requestChange(person);
    await sendCode(person, code);
    const mails = await queuedMail(stores, { email: person.email });
    expect(mails.at(-1)).toMatchObject({ template: "email_changed", send: true });
    const changes = await stores.sql(
      `select id, old_email, extract(day from expires_at - created_at) as days
       from email_changes where user_id = $1`,
      person.user.id,
    );
    const { undoId } = mails.at(-1);
    expect(changes).toEqual([{ id: undoId, old_email: person.email, days: "7" }]);
    const audited = await stores.sql(
      "select action from audit_log where subject_id = $1 order by id",
      person.user.id,
    );
    expect(audited.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["email.change_requested", "email.changed"]),
    );
  });

  it("returns the first response again for a repeated Idempotency-Key", async () => {
    const person = await aConfirmedUser(stores);
    const { code } = await requestChange(person);
    const headers = { "idempotency-key": randomUUID() };
    const first = await sendCode(person, code, headers);
    const again = await sendCode(person, code, headers);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await sendCode(person, code)).toMatchObject({ status: 422, code: "code_invalid" });
  });

  it("returns 422 for a wrong code and changes nothing", async () => {
    const person = await aConfirmedUser(stores);
    const { code } = await requestChange(person);
    expect((await sendCode(person, otherCode(code))).code).toBe("code_invalid");
    const { body } = await call(user, "GET", { token: person.accessToken });
    expect(body).toEqual(person.user);
    expect((await sendCode(person, code)).status).toBe(200);
  });

  it("returns 422 when another account has confirmed the address since the request", async () => {
    const person = await aConfirmedUser(stores);
    const rival = await aUser();
    const { email, code } = await requestChange(person);
    await stores.sql(
      "update users set email = $2, claimed_email = null where id = $1",
      rival.user.id,
      email,
    );
    expect((await sendCode(person, code)).code).toBe("code_invalid");
    const { body } = await call(user, "GET", { token: person.accessToken });
    expect(body.email).toBe(person.email);
    expect(
      await stores.sql("select 1 from email_changes where user_id = $1", person.user.id),
    ).toEqual([]);
  });

  it("returns 422 for an account without a pending change, confirmed or not", async () => {
    for (const person of [await aConfirmedUser(stores), await aUser()]) {
      expect((await sendCode(person, "ABCD2345")).code).toBe("code_invalid");
    }
  });

  it("voids a reset code that was sent to the old address", async () => {
    const person = await aConfirmedUser(stores);
    await call(forgotPassword, "POST", { body: { email: person.email } });
    const { code } = await requestChange(person);
    expect((await sendCode(person, code)).status).toBe(200);
    const { default: reset } = await import("../../../../api/auth/reset-password.js");
    const resetCode = await mailedCode(stores, "reset_password", person.email);
    const body = { email: person.email, code: resetCode, password: "a battery that is new" };
    expect((await call(reset, "POST", { body })).code).toBe("code_invalid");
  });
});
