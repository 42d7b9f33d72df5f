import { describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import resetPassword from "../../../api/auth/reset-password.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import resend from "../../../api/auth/verify-email/resend.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { aConfirmedUser, mailedCode } from "../../support/mailed-codes.js";
import { anAddress, aUser, type Person, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const strangersPassword = "the stranger's own";

const owners: Record<string, () => Promise<Person>> = {
  confirmed: () => aConfirmedUser(stores),
  unconfirmed: () => aUser(),
};

describe("registering another person's e-mail address", () => {
  it.each(Object.keys(owners))("changes nothing for the owner of a %s address", async (name) => {
    const owner = await (owners[name] as () => Promise<Person>)();
    const { email } = owner;
    const before = await stores.sql("select * from users where id = $1", owner.user.id);

    const stranger = await aUser({ email, password: strangersPassword });
    const { accessToken: token } = stranger;
    for (let turn = 0; turn < 3; turn++) {
      expect((await call(resend, "POST", { token })).status).toBe(202);
      expect((await call(verifyEmail, "POST", { token, body: { code: "ABCD2345" } })).status).toBe(
        422,
      );
      expect(
        (await call(forgotPassword, "POST", { body: { email }, ip: anAddress() })).status,
      ).toBe(202);
      const guess = { email, code: "ABCD2345", password: strangersPassword };
      expect((await call(resetPassword, "POST", { body: guess })).status).toBe(422);
    }

    expect(await stores.sql("select * from users where id = $1", owner.user.id)).toEqual(before);
    const seen = await call(user, "GET", { token: owner.accessToken });
    expect(seen.body).toEqual(owner.user);
    const body = { email, password, device: { id: owner.deviceId } };
    expect((await call(login, "POST", { body })).body.user).toEqual(owner.user);
  });

  it("does not prevent the owner from confirming the address, and leaves the second account unconfirmed", async () => {
    const owner = await aUser();
    const { email, accessToken: token } = owner;
    await call(resend, "POST", { token });
    const code = await mailedCode(stores, "verify_email", owner.user.id);
    const stranger = await aUser({ email, password: strangersPassword });
    await call(resend, "POST", { token: stranger.accessToken });
    const confirmed = await call(verifyEmail, "POST", { token, body: { code } });
    expect(confirmed.body).toEqual({ ...owner.user, emailVerified: true });
    const seen = await call(user, "GET", { token: stranger.accessToken });
    expect(seen.body).toEqual(stranger.user);
  });

  it("gives no access after the owner of the address resets the password", async () => {
    const stranger = await aUser({ password: strangersPassword });
    const { email } = stranger;
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    const code = await mailedCode(stores, "reset_password", email);
    const body = { email, code, password };
    expect((await call(resetPassword, "POST", { body })).status).toBe(204);
    const seen = await call(user, "GET", { token: stranger.accessToken });
    expect(seen.code).toBe("session_revoked");
    const again = { email, password: strangersPassword, device: { id: stranger.deviceId } };
    expect((await call(login, "POST", { body: again })).status).toBe(401);
    expect((await call(login, "POST", { body: { email, password } })).status).toBe(200);
  });
});
