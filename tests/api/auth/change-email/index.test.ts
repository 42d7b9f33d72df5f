import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import changeEmail from "../../../../api/auth/change-email/index.js";
import verifyEmail from "../../../../api/auth/verify-email/index.js";
import { issueAccessToken } from "../../../../lib/auth/token/access-token.js";
import { env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { costOf } from "../../../support/cost.js";
import { aConfirmedUser, mailedCode, queuedMail } from "../../../support/mailed-codes.js";
import { aUser, type Person } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const requestChange = ({ accessToken: token }: Person, email: string) =>
  call(changeEmail, "POST", { token, body: { email } });
const anEmail = () => `new-${randomUUID()}@example.com`;

const targets: Record<string, (person: Person) => Promise<string>> = {
  "a free address": async () => anEmail(),
  "another account's address": async () => (await aConfirmedUser(stores)).email,
  "an address claimed by another account": async () => (await aUser()).email,
  "the account's own address": async ({ email }) => email,
};

describe("POST /api/auth/change-email", () => {
  it("mails a code to the new address and does not change the account yet", async () => {
    const person = await aConfirmedUser(stores);
    const email = anEmail();
    await requestChange(person, email.toUpperCase());
    expect(await queuedMail(stores, { email })).toMatchObject([
      { template: "confirm_new_email", send: true },
    ]);
    expect(await mailedCode(stores, "change_email", email)).toMatch(/^[0-9A-Z]{8}$/);
    const [row] = await stores.sql("select email from users where id = $1", person.user.id);
    expect(row?.email).toBe(person.email);
  });

  it("mails a notice to the owner of a confirmed address and issues no valid code", async () => {
    const owner = await aConfirmedUser(stores);
    const person = await aConfirmedUser(stores);
    await requestChange(person, owner.email);
    const mails = await queuedMail(stores, { email: owner.email });
    expect(mails.at(-1)).toMatchObject({ template: "address_taken", send: true });
    await expect(mailedCode(stores, "change_email", owner.email)).rejects.toThrow();
  });

  it("sends no mail when the new address is the account's current address", async () => {
    const person = await aConfirmedUser(stores);
    const before = (await queuedMail(stores, { email: person.email })).length;
    await requestChange(person, person.email);
    const mails = await queuedMail(stores, { email: person.email });
    expect(mails.slice(before)).toMatchObject([{ send: false }]);
  });

  it("replaces an unconfirmed address at once and voids the code of the earlier address", async () => {
    const person = await aUser();
    const { accessToken: token } = person;
    const email = anEmail();
    await requestChange(person, email);
    const [row] = await stores.sql("select * from users where id = $1", person.user.id);
    expect(row).toMatchObject({ email: null, claimed_email: email });
    expect(await queuedMail(stores, { email })).toMatchObject([
      { template: "verify_email", send: true },
    ]);
    const code = await mailedCode(stores, "verify_email", email);
    const { status, body } = await call(verifyEmail, "POST", { token, body: { code } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ email, emailVerified: true });
  });

  it("does not restore an earlier address when its request is repeated with the same Idempotency-Key", async () => {
    const person = await aUser();
    const [typo, corrected] = [anEmail(), anEmail()];
    const { accessToken: token } = person;
    const headers = { "idempotency-key": `${person.deviceId}-email` };
    const sendTypo = () => call(changeEmail, "POST", { token, body: { email: typo }, headers });
    expect((await sendTypo()).status).toBe(202);
    await requestChange(person, corrected);
    const again = await sendTypo();
    const [row] = await stores.sql("select * from users where id = $1", person.user.id);
    expect(row).toMatchObject({ claimed_email: corrected });
    expect(await queuedMail(stores, { email: typo })).toHaveLength(1);
    expect(again.status).toBe(202);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  it("returns 422 for an invalid e-mail address", async () => {
    const person = await aConfirmedUser(stores);
    const refused = await requestChange(person, "no address");
    expect(refused).toMatchObject({ status: 422, code: "validation_failed" });
    expect(refused.body.errors).toMatchObject([{ pointer: "/email", code: "email_invalid" }]);
  });

  it("returns 409 password_not_set for a guest", async () => {
    const guest = await aUser();
    await stores.sql(
      `update users set is_guest = true, claimed_email = null, claim_device = null,
         password_hash = null where id = $1`,
      guest.user.id,
    );
    expect(await requestChange(guest, anEmail())).toMatchObject({
      status: 409,
      code: "password_not_set",
    });
  });

  it("returns 403 unless the session was authenticated within the last ten minutes", async () => {
    const { user, sessionId } = await aConfirmedUser(stores);
    const tokenOf = (minutes: number) =>
      issueAccessToken(
        env(),
        {
          userId: user.id,
          sessionId,
          authenticatedAt: new Date(Date.now() - minutes * 60_000),
          authMethods: ["pwd"],
        },
        new Date(),
      );
    const body = { email: anEmail() };
    const stale = await call(changeEmail, "POST", { token: await tokenOf(11), body });
    expect(stale).toMatchObject({ status: 403, code: "reauth_required" });
    const fresh = await call(changeEmail, "POST", { token: await tokenOf(9), body });
    expect(fresh.status).toBe(202);
  });

  it("returns 503 while Postgres is unavailable", async () => {
    const person = await aConfirmedUser(stores);
    await stores.faults.postgres.set({ kind: "refuse" });
    expect((await requestChange(person, anEmail())).status).toBe(503);
  });

  it.each(Object.keys(targets))("gives the same response at the same cost for %s", async (name) => {
    for (const person of [await aConfirmedUser(stores), await aUser()]) {
      await requestChange(person, anEmail());
      const clear = () => stores.sql("delete from mail_codes where subject = $1", person.user.id);
      await clear();
      const expected = await costOf(stores, () => requestChange(person, anEmail()));
      expect(expected).toMatchObject({
        status: 202,
        body: {},
        hashes: 0,
        calls: { redisTrips: 1, postgresCalls: 2 },
        rows: { codes: 1, mails: 1, audits: 1 },
      });
      await clear();
      await stores.sql(
        "update users set claimed_email = $2 where id = $1 and email is null",
        person.user.id,
        person.email,
      );
      const email = await (targets[name] as (person: Person) => Promise<string>)(person);
      expect(await costOf(stores, () => requestChange(person, email))).toEqual(expected);
    }
  });
});
