import { describe, expect, it } from "vitest";
import login from "../../../../api/auth/login.js";
import verifyEmail from "../../../../api/auth/verify-email/index.js";
import resend from "../../../../api/auth/verify-email/resend.js";
import user from "../../../../api/user/index.js";
import type { TokenPair } from "../../../../lib/auth/token/token-pair.js";
import { call } from "../../../support/call.js";
import { mailedCode, otherCode } from "../../../support/mailed-codes.js";
import { aUser, password } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const verify = ({ accessToken: token }: TokenPair, code: string) =>
  call(verifyEmail, "POST", { token, body: { code } });

/** The account's code, mailed again: the same code within five minutes. */
async function codeOf({ accessToken: token, user }: TokenPair): Promise<string> {
  expect((await call(resend, "POST", { token })).status).toBe(202);
  return mailedCode(stores, "verify_email", user.id);
}

describe("POST /api/auth/verify-email", () => {
  it("confirms the claimed address", async () => {
    const person = await aUser();
    const { status, body } = await verify(person, await codeOf(person));
    expect(status).toBe(200);
    expect(body).toEqual({ ...person.user, emailVerified: true });
    const [row] = await stores.sql("select * from users where id = $1", person.user.id);
    expect(row).toMatchObject({ email: person.email, claimed_email: null, claim_device: null });
    const audited = await stores.sql(
      "select actor_id from audit_log where action = 'email.verified' and subject_id = $1",
      person.user.id,
    );
    expect(audited).toEqual([{ actor_id: person.user.id }]);
  });

  it("accepts the code in any letter case, with spaces, hyphens and look-alike characters", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    const typed = code.toLowerCase().replaceAll("0", "o").replaceAll("1", "l");
    expect((await verify(person, ` ${typed.slice(0, 4)} - ${typed.slice(4)} `)).status).toBe(200);
  });

  it("returns the same response for a repeated request", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    const first = await verify(person, code);
    const again = await verify(person, code);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
  });

  it("confirms the address only with a code of the same account", async () => {
    const owner = await aUser();
    const stranger = await aUser({ email: owner.email });
    const code = await codeOf(owner);
    await call(resend, "POST", { token: stranger.accessToken });
    expect(await verify(stranger, code)).toMatchObject({ status: 422, code: "code_invalid" });
    expect((await verify(owner, code)).status).toBe(200);
  });

  it("returns 422 for a wrong, a replaced and an expired code", async () => {
    const person = await aUser();
    const first = await codeOf(person);
    expect(await verify(person, otherCode(first))).toMatchObject({
      status: 422,
      code: "code_invalid",
    });
    await stores.sql(
      "update mail_codes set expires_at = expires_at - interval '6 minutes' where subject = $1",
      person.user.id,
    );
    const second = await codeOf(person);
    expect(second).not.toBe(first);
    expect((await verify(person, first)).status).toBe(422);
    await stores.sql(
      "update mail_codes set expires_at = now() - interval '1 second' where subject = $1",
      person.user.id,
    );
    expect((await verify(person, second)).status).toBe(422);
  });

  it("allows five attempts per code, from any session", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    for (let attempt = 0; attempt < 5; attempt++) {
      expect((await verify(person, otherCode(code))).status).toBe(422);
    }
    const credentials = { email: person.email, password, device: { id: person.deviceId } };
    const { body } = await call(login, "POST", { body: credentials });
    expect(await verify(body, code)).toMatchObject({ status: 422, code: "code_invalid" });
    expect(await codeOf(person)).not.toBe(code);
  });

  it("allows five wrong codes per session in 15 minutes", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    for (let attempt = 0; attempt < 5; attempt++) {
      expect((await verify(person, otherCode(code))).status).toBe(422);
    }
    expect(await verify(person, code)).toMatchObject({ status: 429, code: "rate_limited" });
  });

  it("does not count a correct code as a failure", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    for (let attempt = 0; attempt < 7; attempt++) {
      expect((await verify(person, code)).status).toBe(200);
      await stores.settled();
    }
  });

  it("returns 422 when another account has already confirmed the address, and changes nothing", async () => {
    const first = await aUser();
    const second = await aUser({ email: first.email });
    const [ownCode, rivalCode] = [await codeOf(first), await codeOf(second)];
    expect((await verify(first, ownCode)).status).toBe(200);
    expect(await verify(second, rivalCode)).toMatchObject({ status: 422, code: "code_invalid" });
    const { body } = await call(user, "GET", { token: first.accessToken });
    expect(body).toEqual({ ...first.user, emailVerified: true });
    const asFirst = { email: first.email, password };
    expect((await call(login, "POST", { body: asFirst })).body.user.id).toBe(first.user.id);
  });

  it("clears the emailUndeliverable mark", async () => {
    const person = await aUser();
    await stores.sql("update users set email_undeliverable = true where id = $1", person.user.id);
    const { body } = await verify(person, await codeOf(person));
    expect(body.emailUndeliverable).toBe(false);
  });

  it("requires a live session, and a code in the body only", async () => {
    expect(await call(verifyEmail, "POST", { body: { code: "ABCD2345" } })).toMatchObject({
      status: 401,
      code: "token_missing",
    });
    const { accessToken: token } = await aUser();
    for (const body of [{}, { code: "" }, { code: "A".repeat(33) }, { code: "AAAA", x: 1 }]) {
      expect((await call(verifyEmail, "POST", { token, body })).status).toBe(422);
    }
    const url = "http://localhost:8080/api/auth/verify-email?code=ABCD2345";
    expect((await call(verifyEmail, "GET", { token, url })).status).toBe(405);
  });

  it("costs two Postgres calls and one Redis round trip", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    await stores.resetCalls();
    expect((await verify(person, code)).status).toBe(200);
    expect(stores.calls()).toMatchObject({ redisTrips: 1, postgresCalls: 2 });
  });

  it("returns 503 while Postgres is unavailable and counts no attempt", async () => {
    const person = await aUser();
    const code = await codeOf(person);
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let attempt = 0; attempt < 6; attempt++) {
      expect((await verify(person, code)).status).toBe(503);
      await stores.settled();
    }
    await stores.faults.postgres.set(null);
    expect((await verify(person, code)).status).toBe(200);
  });
});
