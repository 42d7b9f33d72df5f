import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import confirmChange from "../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../api/auth/change-email/index.js";
import undo from "../../../api/auth/change-email/undo.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import register from "../../../api/auth/register.js";
import resetPassword from "../../../api/auth/reset-password.js";
import confirmTotp from "../../../api/auth/totp/confirm.js";
import totp from "../../../api/auth/totp/index.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import resend from "../../../api/auth/verify-email/resend.js";
import confirmations from "../../../api/ops/sign-ins/confirmations.js";
import signIns from "../../../api/ops/sign-ins/index.js";
import { env } from "../../../lib/env.js";
import { undoToken } from "../../../lib/mail/undo-token.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { aConfirmedUser, mailedCode, otherCode } from "../../support/mailed-codes.js";
import { anOperator } from "../../support/operators.js";
import { aBoundUser, anAddress, aUser, bindEmail, password } from "../../support/people.js";
import { authenticator, enrol, resetUsedStep } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useEnvironment();
beforeEach(() => stores.liftLimits());

type Paste = (code: string) => string;

const halves = (code: string, between: string) => {
  const plain = code.replaceAll("-", "");
  return `${plain.slice(0, plain.length / 2)}${between}${plain.slice(plain.length / 2)}`;
};
const inDigits = (zero: number) => (code: string) =>
  code.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));

const forms: [string, Paste][] = [
  ["with spaces, a hyphen and a full stop", (code) => `  ${halves(code, "-")}. `],
  [
    "with a minus sign, a soft hyphen and zero-width characters",
    (code) => `\ufeff${halves(code, "\u200b\u2212\u00ad")}\u2060\r\n`,
  ],
  ["in full-width characters", (code) => code.replace(/[!-~]/g, (c) => wide(c))],
  ["in Arabic digits", inDigits(0x660)],
];
const wide = (character: string) => String.fromCodePoint(character.charCodeAt(0) + 0xfee0);

/** Send a pasted code to each route that takes one. Resolves with the status of the reply. */
const routes: Record<string, (paste: Paste) => Promise<number>> = {
  async "POST /api/auth/verify-email"(paste) {
    const { accessToken: token, user } = await aUser();
    await call(resend, "POST", { token });
    const code = paste(await mailedCode(stores, "verify_email", user.id));
    return (await call(verifyEmail, "POST", { token, body: { code } })).status;
  },
  async "POST /api/auth/reset-password"(paste) {
    const { email } = await aBoundUser(stores);
    await call(forgotPassword, "POST", { body: { email }, ip: anAddress() });
    await stores.settled();
    const code = paste(await mailedCode(stores, "reset_password", email));
    const body = { email, code, password: "a battery that is new" };
    return (await call(resetPassword, "POST", { body, ip: anAddress() })).status;
  },
  async "POST /api/auth/change-email/confirm"(paste) {
    const { accessToken: token } = await aConfirmedUser(stores);
    const email = `new-${randomUUID()}@example.com`;
    await call(changeEmail, "POST", { token, body: { email } });
    const code = paste(await mailedCode(stores, "change_email", email));
    return (await call(confirmChange, "POST", { token, body: { code } })).status;
  },
  async "POST /api/auth/login with a mailed sign-in code"(paste) {
    const { email } = await aUser();
    await call(login, "POST", { body: { email, password }, ip: anAddress() });
    await stores.settled();
    const otp = paste(await mailedCode(stores, "sign_in", email));
    return (await call(login, "POST", { body: { email, password, otp }, ip: anAddress() })).status;
  },
  async "POST /api/auth/login with a second factor"(paste) {
    const person = await aBoundUser(stores);
    const otp = paste((await enrol(stores, person)).code());
    const body = { email: person.email, password, otp };
    return (await call(login, "POST", { body, ip: anAddress() })).status;
  },
  async "POST /api/auth/login with a recovery code"(paste) {
    const person = await aBoundUser(stores);
    const otp = paste((await enrol(stores, person)).recoveryCodes[0] ?? "");
    const body = { email: person.email, password, otp };
    return (await call(login, "POST", { body, ip: anAddress() })).status;
  },
  async "POST /api/auth/reauthenticate"(paste) {
    const person = await aBoundUser(stores);
    const otp = paste((await enrol(stores, person)).code());
    return (
      await call(reauthenticate, "POST", { token: person.accessToken, body: { otp, password } })
    ).status;
  },
  async "POST /api/auth/totp/confirm"(paste) {
    const person = await aUser();
    await bindEmail(stores, person);
    const { accessToken: token } = person;
    const { body } = await call(totp, "POST", { token });
    const code = paste(authenticator(body.secret).code());
    return (await call(confirmTotp, "POST", { token, body: { code } })).status;
  },
  async "POST /api/ops/sign-ins"(paste) {
    const operator = await anOperator(stores);
    await resetUsedStep(stores, operator);
    const body = { email: operator.email, password, otp: paste(operator.app.code()) };
    return (await call(signIns, "POST", { body, ip: anAddress() })).status;
  },
  async "POST /api/ops/sign-ins/confirmations"(paste) {
    const operator = await anOperator(stores);
    await resetUsedStep(stores, operator);
    const body = { otp: paste(operator.app.code()) };
    return (await call(confirmations, "POST", { token: operator.token, body })).status;
  },
};

describe.each(forms)("a code pasted %s", (_, paste) => {
  it.each(Object.keys(routes))("is accepted by %s", async (name) => {
    expect([200, 204]).toContain(await routes[name]?.(paste));
  });
});

describe("a code that is too long to be one", () => {
  it.each(Object.keys(routes))("is refused by %s", async (name) => {
    expect(await routes[name]?.((code) => code.padEnd(129))).toBe(422);
  });
});

describe("a wrong pasted code", () => {
  it("counts as an attempt: five use up the mailed code", async () => {
    const { accessToken: token, user } = await aUser();
    await call(resend, "POST", { token });
    const code = await mailedCode(stores, "verify_email", user.id);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const body = { code: ` ${halves(otherCode(code), "\u2013")}.` };
      expect((await call(verifyEmail, "POST", { token, body })).code).toBe("code_invalid");
    }
    // The rate limit of the caller counts them too.
    await stores.liftLimits();
    expect((await call(verifyEmail, "POST", { token, body: { code } })).code).toBe("code_invalid");
  });
});

describe("an undo token", () => {
  it("is accepted as a mail program wraps it", async () => {
    const person = await aConfirmedUser(stores);
    const { accessToken: token, user } = person;
    const email = `new-${randomUUID()}@example.com`;
    await call(changeEmail, "POST", { token, body: { email } });
    const code = await mailedCode(stores, "change_email", email);
    await call(confirmChange, "POST", { token, body: { code } });
    const [change] = await stores.sql("select id from email_changes where user_id = $1", user.id);
    const sent = undoToken(env(), change?.id ?? "");
    const pasted = ` ${sent.slice(0, 40)}\r\n\u200b${sent.slice(40)}.\n`.replace("-", "\u2011");
    expect((await call(undo, "POST", { body: { token: pasted } })).status).toBe(204);
  });
});

describe("an e-mail address with a zero-width character", () => {
  it.each(["\ufeff", "\u200b", "\u2060", "\u00ad"])(
    "is refused at either end: %j",
    async (sign) => {
      for (const email of [`${sign}ada@example.com`, `ada@example.com${sign}`]) {
        const body = { email, password, name: "Ada", acceptedTerms: true };
        expect((await call(register, "POST", { body, ip: anAddress() })).status).toBe(422);
      }
    },
  );
});
