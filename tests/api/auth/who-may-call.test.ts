import { describe, expect, it } from "vitest";
import changeEmail from "../../../api/auth/change-email/index.js";
import changePassword from "../../../api/auth/change-password.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import recoveryCodes from "../../../api/auth/recovery-codes.js";
import totp from "../../../api/auth/totp/index.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aBoundUser, aGuest, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

describe("a guest", () => {
  it("cannot change the password or the address, or add a second factor or recovery codes", async () => {
    const { accessToken: token } = await aGuest();
    const bodies = { currentPassword: password, newPassword: "a battery that is new" };
    const answers = [
      await call(changePassword, "POST", { token, body: bodies }),
      await call(changeEmail, "POST", { token, body: { email: "guest@example.com" } }),
      await call(verifyEmail, "POST", { token, body: { code: "AAAAAAAA" } }),
      await call(totp, "POST", { token }),
      await call(recoveryCodes, "POST", { token }),
    ];
    expect(answers.map(({ code }) => code)).toEqual([
      "password_not_set",
      "password_not_set",
      "code_invalid",
      "email_unverified",
      "second_factor_missing",
    ]);
  });
});

describe("a token of a session that has ended", () => {
  it("can only log out its own session, and does not affect a new sign-in", async () => {
    const person = await aBoundUser(stores);
    await call(logout, "POST", { token: person.accessToken });
    const body = { email: person.email, password };
    const signedIn = await call(login, "POST", { body, token: person.accessToken });
    expect(signedIn.status).toBe(200);
    expect((await call(logout, "POST", { token: person.accessToken })).status).toBe(204);
    expect((await call(user, "GET", { token: signedIn.body.accessToken })).status).toBe(200);
    const [row] = await stores.sql("select * from sessions where id = $1", person.sessionId);
    expect(row).toMatchObject({ revoked_reason: "logged_out" });
  });

  it("returns 401 token_invalid when the header holds two tokens or an oversized token", async () => {
    const [person, other] = [await aUser(), await aUser()];
    const both = `Bearer ${person.accessToken}, Bearer ${other.accessToken}`;
    const answer = await call(user, "GET", { headers: { authorization: both } });
    expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
    const long = await call(user, "GET", { token: "x".repeat(5000) });
    expect(long).toMatchObject({ status: 401, code: "token_invalid" });
  });
});
