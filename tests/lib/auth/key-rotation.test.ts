import { describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import recoveryCodes from "../../../api/auth/recovery-codes.js";
import refresh from "../../../api/auth/refresh.js";
import resetPassword from "../../../api/auth/reset-password.js";
import user from "../../../api/user/index.js";
import { keyId } from "../../../lib/crypto/secret.js";
import { env } from "../../../lib/env.js";
import { isMailCode, mailCode } from "../../../lib/mail/codes.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aConfirmedUser, mailedCode, otherCode } from "../../support/mailed-codes.js";
import { anAddress, aUser, type Person } from "../../support/people.js";
import { enrol, resetUsedStep } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();

const first = "the-first-jwt-secret-of-32-bytes-or-more";
const second = "the-second-jwt-secret-of-32-bytes-or-more";
const third = "the-third-jwt-secret-of-32-bytes-or-more";
const dataKey = "the-data-key-of-the-tests-of-32-bytes";
const nextDataKey = "the-next-data-key-of-the-tests-of-32-bytes";

const read = (token: string) => call(user, "GET", { token });
const renew = (refreshToken: string) => call(refresh, "POST", { body: { refreshToken } });
const signIn = ({ email, password }: Person, otp?: string, ip = anAddress()) =>
  call(login, "POST", { body: { email, password, ...(otp === undefined ? {} : { otp }) }, ip });
const kidOf = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

describe("changing JWT_SECRET alone", () => {
  useEnvironment({ JWT_SECRET: first, DATA_KEY: dataKey });

  it("invalidates all earlier tokens", async () => {
    const person = await aUser();
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey });
    expect(await read(person.accessToken)).toMatchObject({ status: 401, code: "token_invalid" });
    expect(await renew(person.refreshToken)).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("allows new sign-ins with the existing second factors and codes", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    const mailed = mailCode(env(), "a-row-of-before");
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey });
    expect((await signIn(person, code())).status).toBe(200);
    const { status, body } = await signIn(person, recoveryCodes[0]);
    expect(status).toBe(200);
    expect((await read(body.accessToken)).status).toBe(200);
    expect(isMailCode(env(), "a-row-of-before", mailed)).toBe(true);
  });

  it("keeps counted failures", async () => {
    const person = await aUser();
    const ip = anAddress();
    const fail = () => signIn({ ...person, password: "not the password" }, undefined, ip);
    for (let attempt = 0; attempt < 5; attempt++) await fail();
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey });
    expect((await fail()).status).toBe(429);
  });
});

describe("changing JWT_SECRET with JWT_SECRET_PREVIOUS", () => {
  useEnvironment({ JWT_SECRET: first, DATA_KEY: dataKey });

  const graceful = { JWT_SECRET: second, JWT_SECRET_PREVIOUS: first, DATA_KEY: dataKey };

  it("keeps earlier access and refresh tokens valid", async () => {
    const person = await aUser();
    setEnvironment(graceful);
    expect((await read(person.accessToken)).status).toBe(200);
    expect((await renew(person.refreshToken)).status).toBe(200);
  });

  it("accepts tokens of the new secret before it is used to sign", async () => {
    setEnvironment(graceful);
    const person = await aUser();
    setEnvironment({ JWT_SECRET: first, JWT_SECRET_PREVIOUS: second, DATA_KEY: dataKey });
    expect((await read(person.accessToken)).status).toBe(200);
    expect((await renew(person.refreshToken)).status).toBe(200);
  });

  it("issues tokens of the new secret at a refresh", async () => {
    const person = await aUser();
    expect(kidOf(person.accessToken)).toBe(keyId(first));
    setEnvironment(graceful);
    const { body } = await renew(person.refreshToken);
    expect(kidOf(body.accessToken)).toBe(keyId(second));
    expect(body.refreshToken).toMatch(`rt1.${keyId(second)}.`);
  });

  it("invalidates only tokens that were not refreshed when the previous secret is removed", async () => {
    const [mover, sleeper] = [await aUser(), await aUser()];
    setEnvironment(graceful);
    const { body } = await renew(mover.refreshToken);
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey });
    expect((await read(body.accessToken)).status).toBe(200);
    expect((await renew(body.refreshToken)).status).toBe(200);
    expect(await read(sleeper.accessToken)).toMatchObject({ status: 401, code: "token_invalid" });
    expect(await renew(sleeper.refreshToken)).toMatchObject({ code: "token_invalid" });
  });

  it("accepts several previous secrets", async () => {
    const person = await aUser();
    setEnvironment({ ...graceful, JWT_SECRET: third, JWT_SECRET_PREVIOUS: `${second}, ${first}` });
    expect((await read(person.accessToken)).status).toBe(200);
    expect((await renew(person.refreshToken)).status).toBe(200);
  });

  it("refuses a token of an unknown secret", async () => {
    const person = await aUser();
    setEnvironment({ ...graceful, JWT_SECRET_PREVIOUS: third });
    expect(await read(person.accessToken)).toMatchObject({ status: 401, code: "token_invalid" });
    expect(await renew(person.refreshToken)).toMatchObject({ status: 401, code: "token_invalid" });
  });
});

describe("setting DATA_KEY for the first time", () => {
  useEnvironment({ JWT_SECRET: first });

  it("decrypts what JWT_SECRET encrypted, and encrypts it again when used", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    const mailed = mailCode(env(), "a-row-of-before");
    setEnvironment({ JWT_SECRET: first, DATA_KEY: dataKey });
    expect((await signIn(person, code())).status).toBe(200);
    expect((await signIn(person, recoveryCodes[0])).status).toBe(200);
    expect(isMailCode(env(), "a-row-of-before", mailed)).toBe(true);
    expect(await sealedUnder(person)).toBe(keyId(dataKey));
    await resetUsedStep(stores, person);
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey });
    expect((await signIn(person, code())).status).toBe(200);
  });
});

describe("changing a leaked JWT_SECRET that served as the data key", () => {
  useEnvironment({ JWT_SECRET: first });

  it("refuses earlier tokens, and decrypts with DATA_KEY_PREVIOUS", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    setEnvironment({ JWT_SECRET: second, DATA_KEY: dataKey, DATA_KEY_PREVIOUS: first });
    expect(await read(person.accessToken)).toMatchObject({ status: 401, code: "token_invalid" });
    expect(await renew(person.refreshToken)).toMatchObject({ status: 401, code: "token_invalid" });
    expect((await signIn(person, code())).status).toBe(200);
    expect((await signIn(person, recoveryCodes[0])).status).toBe(200);
  });
});

describe("changing DATA_KEY with DATA_KEY_PREVIOUS", () => {
  useEnvironment({ JWT_SECRET: first, DATA_KEY: dataKey });

  const graceful = { JWT_SECRET: first, DATA_KEY: nextDataKey, DATA_KEY_PREVIOUS: dataKey };

  it("loses nothing, and encrypts each second factor with the new key when it is used", async () => {
    const [mover, sleeper] = [await aUser(), await aUser()];
    const [moved, slept] = [await enrol(stores, mover), await enrol(stores, sleeper)];
    const mailed = mailCode(env(), "a-row-of-before");
    setEnvironment(graceful);
    expect((await signIn(mover, moved.code())).status).toBe(200);
    expect((await signIn(mover, moved.recoveryCodes[0])).status).toBe(200);
    expect(isMailCode(env(), "a-row-of-before", mailed)).toBe(true);
    expect(await sealedUnder(mover)).toBe(keyId(nextDataKey));
    expect(await sealedUnder(sleeper)).toBe(keyId(dataKey));
    await resetUsedStep(stores, mover);
    setEnvironment({ JWT_SECRET: first, DATA_KEY: nextDataKey });
    expect((await signIn(mover, moved.code())).status).toBe(200);
    const lost = await signIn(sleeper, slept.code());
    expect(lost).toMatchObject({ status: 500, code: "internal_error" });
  });

  it("accepts a code mailed before, and counts wrong attempts against it", async () => {
    const person = await aConfirmedUser(stores);
    const { email } = person;
    await call(forgotPassword, "POST", { body: { email } });
    const code = await mailedCode(stores, "reset_password", email);
    setEnvironment(graceful);
    const reset = (typed: string) =>
      call(resetPassword, "POST", {
        body: { email, code: typed, password: "a battery that is new" },
        ip: anAddress(),
      });
    expect(await reset(otherCode(code))).toMatchObject({ status: 422, code: "code_invalid" });
    const [row] = await stores.sql("select attempts from mail_codes where email = $1", email);
    expect(row).toEqual({ attempts: "1" });
    expect((await reset(code)).status).toBe(204);
  });

  it("creates recovery codes under the new key when they are renewed", async () => {
    const person = await aUser();
    const { code } = await enrol(stores, person);
    setEnvironment(graceful);
    const fresh = await call(reauthenticate, "POST", {
      token: person.accessToken,
      body: { otp: code() },
    });
    const { body } = await call(recoveryCodes, "POST", { token: fresh.body.accessToken });
    setEnvironment({ JWT_SECRET: first, DATA_KEY: nextDataKey });
    expect((await signIn(person, body.recoveryCodes[0])).status).toBe(200);
  });

  it("logs the missing key, and refuses the sign-in", async () => {
    const person = await aUser();
    const { code, recoveryCodes } = await enrol(stores, person);
    setEnvironment({ JWT_SECRET: first, DATA_KEY: nextDataKey, LOG_LEVEL: "error" });
    expect((await signIn(person, code())).status).toBe(500);
    expect(JSON.stringify(logs.read("request_failed"))).toContain(keyId(dataKey));
    const recovery = await signIn(person, recoveryCodes[0]);
    expect(recovery).toMatchObject({ status: 401, code: "otp_invalid" });
  });
});

/** The ID of the key that encrypts the account's second factor. */
async function sealedUnder({ user: { id } }: Person): Promise<string | undefined> {
  const [row] = await stores.sql("select sealed_secret from second_factors where user_id = $1", id);
  return row?.sealed_secret?.split(".")[1];
}
