import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import confirm from "../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../api/auth/change-email/index.js";
import undo from "../../../api/auth/change-email/undo.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import resetPassword from "../../../api/auth/reset-password.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import resend from "../../../api/auth/verify-email/resend.js";
import { call } from "../../support/call.js";
import { useMailbox } from "../../support/mailbox.js";
import { anAddress, aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();

async function confirmed(): Promise<Person> {
  const person = await aUser();
  const { accessToken: token, email } = person;
  const code = await mailbox.codeTo(email);
  const { status } = await call(verifyEmail, "POST", { token, body: { code } });
  expect(status).toBe(200);
  return person;
}

describe("mailed codes and tokens", () => {
  it("confirm an address and reset the password", async () => {
    const { email } = await confirmed();
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    const body = { email, code: await mailbox.codeTo(email), password: "a battery that is new" };
    expect((await call(resetPassword, "POST", { body })).status).toBe(204);
    const [notice] = await mailbox.to(email);
    expect(notice?.subject).toBe("Your password has been changed");
  });

  it("change the account's address, and undo the change from the mail to the old address", async () => {
    const person = await confirmed();
    const { accessToken: token } = person;
    const email = `new-${randomUUID()}@example.com`;
    await call(changeEmail, "POST", { token, body: { email } });
    const code = await mailbox.codeTo(email);
    expect((await call(confirm, "POST", { token, body: { code } })).status).toBe(200);
    const [notice] = await mailbox.to(person.email);
    expect(notice?.subject).toBe("Your e-mail address has been changed");
    const [undoToken] = /^ue1\..+$/m.exec(notice?.text ?? "") ?? [];
    expect((await call(undo, "POST", { body: { token: undoToken } })).status).toBe(204);
    const [row] = await stores.sql("select email from users where id = $1", person.user.id);
    expect(row?.email).toBe(person.email);
  });

  it("are not sent to an address without an account", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    expect(await mailbox.to(email)).toEqual([]);
  });

  it("stay within the address's mail budget, with a separate budget for resets", async () => {
    const { email } = await confirmed();
    const stranger = await aUser({ email, password: "the stranger's own" });
    for (let turn = 0; turn < 4; turn++) {
      await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
      await call(resend, "POST", { token: stranger.accessToken });
      await stores.settled();
    }
    const mails = await mailbox.to(email);
    const resets = mails.filter(({ subject }) => subject === "Reset your password");
    expect({ resets: resets.length, all: mails.length }).toEqual({ resets: 4, all: 7 });
    expect(mails.map(({ subject }) => subject)).toContain("You already have a Linguamate account");
  });
});
