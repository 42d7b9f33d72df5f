import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import { keyedHash } from "../../../lib/crypto/secret.js";
import { env } from "../../../lib/env.js";
import { mailCode } from "../../../lib/mail/codes.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { aBoundUser, aUser, type Person } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useEnvironment();

let lastAddress = 0;
const anAddress = () => `198.51.100.${++lastAddress}`;
const elsewhere = (email: string, password: string, otp?: string) =>
  call(login, "POST", {
    body: { email, password, ...(otp === undefined ? {} : { otp }) },
    ip: anAddress(),
  });

const subject = (email: string) => keyedHash(env(), "mail-subject", email);
async function liveCode(email: string) {
  await stores.settled();
  const [row] = await stores.sql("select * from mail_codes where subject = $1", subject(email));
  return row?.id ? { code: mailCode(env(), row.id), id: row.id } : undefined;
}
const sent = async (email: string) =>
  stores.sql(
    `select payload from queue_entries where send and payload->'to'->>'email' = $1
      and payload->>'template' = 'sign_in_code'`,
    email,
  );

/** Accounts that claim one address, each with its own password and device. */
async function claims(...passwords: string[]): Promise<[string, ...Person[]]> {
  const email = `shared-${randomUUID()}@example.com`;
  const people = [];
  for (const password of passwords) people.push(await aUser({ email, password }));
  return [email, ...people];
}
const earn = ({ user: { id } }: Person, points: number) =>
  stores.sql(
    `insert into xp_entries (user_id, kind, fact, xp, local_date, earned_at, revision)
      values ($1, 'test', gen_random_uuid()::text, $2, current_date, now(), 1)`,
    id,
    String(points),
  );

describe("an address that several accounts claim", () => {
  it("is mailed one code after a login from another device, which the response does not reveal", async () => {
    const [email] = await claims("the first one's", "the second one's");
    const answer = await elsewhere(email, "the first one's");
    expect(answer).toMatchObject({ status: 401, code: "invalid_credentials" });
    const first = await liveCode(email);
    const mails = await sent(email);
    expect(mails.map(({ payload }) => JSON.parse(payload ?? "").codeId)).toEqual([first?.id]);
    await elsewhere(email, "the first one's");
    expect(await liveCode(email)).toEqual(first);
  });

  it("is confirmed for the account that matches the code and the password", async () => {
    const [email, first, second] = await claims("the first one's", "the second one's");
    await elsewhere(email, "the second one's");
    const { code = "" } = (await liveCode(email)) ?? {};
    const answer = await elsewhere(email, "the second one's", code.toLowerCase());
    expect(answer.status).toBe(200);
    expect(answer.body.user).toMatchObject({ id: second?.user.id, email, emailVerified: true });
    const [row] = await stores.sql("select * from users where email = $1", email);
    expect(row).toMatchObject({ id: second?.user.id, claimed_email: null });
    const audited = await stores.sql(
      "select actor_id, subject_id from audit_log where action = 'email.verified' and subject_id = any($1::text[])",
      `{${first?.user.id},${second?.user.id}}`,
    );
    expect(audited).toEqual([{ actor_id: second?.user.id, subject_id: second?.user.id }]);
    // The address now belongs to one account, and a claim opens on its own device only.
    expect((await elsewhere(email, "the second one's")).status).toBe(200);
    const body = { email, password: "the first one's", device: { id: first?.deviceId } };
    const asFirst = await call(login, "POST", { body, ip: anAddress() });
    expect(asFirst.body.user).toMatchObject({ id: first?.user.id, emailVerified: false });
    expect((await elsewhere(email, "the first one's")).status).toBe(401);
  });

  it("is confirmed for the account with the most points among those with the password", async () => {
    const [email, poor, rich, other] = await claims("the same one", "the same one", "another one");
    if (poor) await earn(poor, 5);
    if (rich) await earn(rich, 10);
    if (other) await earn(other, 100);
    await elsewhere(email, "the same one");
    const answer = await elsewhere(email, "the same one", (await liveCode(email))?.code);
    expect(answer.body.user.id).toBe(rich?.user.id);
  });

  it("is confirmed for the older account when the points are equal", async () => {
    const [email, older] = await claims("the same one", "the same one");
    await elsewhere(email, "the same one");
    const answer = await elsewhere(email, "the same one", (await liveCode(email))?.code);
    expect(answer.body.user.id).toBe(older?.user.id);
  });

  it("is compared with the five accounts with the most points", async () => {
    const [email, last, ...others] = await claims("the last one's", ...Array(5).fill("another's"));
    for (const other of others) await earn(other, 1);
    await elsewhere(email, "the last one's");
    const { code } = (await liveCode(email)) ?? {};
    expect((await elsewhere(email, "the last one's", code)).status).toBe(401);
    if (last) await earn(last, 2);
    expect((await elsewhere(email, "the last one's", code)).status).toBe(200);
  });

  it("stays unconfirmed after a wrong password, a wrong code or a used code", async () => {
    const [email] = await claims("the first one's", "the second one's");
    await elsewhere(email, "the first one's");
    const { code } = (await liveCode(email)) ?? {};
    for (const [password, otp] of [
      ["of no account", code],
      ["the first one's", "00000000"],
      ["the first one's", "0"],
    ]) {
      const answer = await elsewhere(email, password ?? "", otp);
      expect(answer).toMatchObject({ status: 401, code: "invalid_credentials" });
    }
    expect(await stores.sql("select from users where email = $1", email)).toEqual([]);
    expect((await elsewhere(email, "the first one's", code)).status).toBe(200);
    const used = await elsewhere(email, "the second one's", code);
    expect(used).toMatchObject({ status: 401, code: "invalid_credentials" });
  });

  it("allows five attempts per code", async () => {
    // Otherwise the account's delay applies first.
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "0.0.0.0/0,::/0" });
    const [email] = await claims("the first one's", "the second one's");
    await elsewhere(email, "the first one's");
    const { code } = (await liveCode(email)) ?? {};
    for (let attempt = 0; attempt < 5; attempt++) {
      await stores.liftLimits();
      await elsewhere(email, "the first one's", "00000000");
    }
    await stores.liftLimits();
    expect((await elsewhere(email, "the first one's", code)).status).toBe(401);
    await elsewhere(email, "the first one's");
    const { code: next } = (await liveCode(email)) ?? {};
    expect(next).not.toBe(code);
    expect((await elsewhere(email, "the first one's", next)).status).toBe(200);
  });

  it("keeps its code after other people's failures, which mail the same code or nothing", async () => {
    const [email, first] = await claims("the first one's", "the second one's");
    await elsewhere(email, "the first one's");
    const { code } = (await liveCode(email)) ?? {};
    const body = { email, password: "not the password", device: { id: first?.deviceId } };
    await call(login, "POST", { body, ip: anAddress() });
    await elsewhere(email, "not the password", "00000000");
    await stores.settled();
    const mailed = (await sent(email)).map(({ payload }) => JSON.parse(payload ?? "").codeId);
    expect(new Set(mailed).size).toBe(1);
    expect(mailed).toHaveLength(2);
    expect((await elsewhere(email, "the first one's", code)).status).toBe(200);
  });

  it("accepts no code after it was confirmed by another account", async () => {
    const [email, first] = await claims("the first one's", "the second one's");
    await elsewhere(email, "the second one's");
    const { code } = (await liveCode(email)) ?? {};
    await stores.sql(
      "update users set email = claimed_email, claimed_email = null where id = $1",
      first?.user.id ?? null,
    );
    const answer = await elsewhere(email, "the second one's", code);
    expect(answer).toMatchObject({ status: 401, code: "invalid_credentials" });
  });

  it("is not confirmed for a suspended account, which is reported only for its correct password", async () => {
    const [email, first] = await claims("the first one's", "the second one's");
    await stores.sql("update users set suspended_at = now() where id = $1", first?.user.id ?? null);
    await elsewhere(email, "the first one's");
    const { code } = (await liveCode(email)) ?? {};
    const answer = await elsewhere(email, "the first one's", code);
    expect(answer).toMatchObject({ status: 403, code: "account_suspended" });
    expect(await stores.sql("select from users where email = $1", email)).toEqual([]);
  });
});

describe("an address that one account claims", () => {
  it("is mailed a code that opens the claim from another device and confirms it", async () => {
    const [email, only] = await claims("the only one's");
    const refused = await elsewhere(email, "the only one's");
    expect(refused).toMatchObject({ status: 401, code: "invalid_credentials" });
    const { code } = (await liveCode(email)) ?? {};
    expect((await elsewhere(email, "not the password", code)).status).toBe(401);
    const answer = await elsewhere(email, "the only one's", code);
    expect(answer.body.user).toMatchObject({ id: only?.user.id, emailVerified: true });
    expect((await elsewhere(email, "the only one's")).status).toBe(200);
  });

  it("is mailed nothing after a failure on the claim's own device", async () => {
    const [email, only] = await claims("the only one's");
    const body = { email, password: "not the password", device: { id: only?.deviceId } };
    expect((await call(login, "POST", { body, ip: anAddress() })).status).toBe(401);
    await stores.settled();
    expect(await sent(email)).toEqual([]);
  });
});

describe("an address without a claim", () => {
  it.each<[string, () => Promise<Person>]>([
    ["unknown", async () => ({ ...(await aUser()), email: `nobody-${randomUUID()}@example.com` })],
    ["bound", () => aBoundUser(stores)],
  ])("is mailed nothing after a failed login: %s", async (_, anAccount) => {
    const { email } = await anAccount();
    await elsewhere(email, "not the password");
    await elsewhere(email, "not the password", "12345678");
    await stores.settled();
    expect(await sent(email)).toEqual([]);
    const { code } = (await liveCode(email)) ?? {};
    const answer = await elsewhere(email, "not the password", code);
    expect(answer).toMatchObject({ status: 401, code: "invalid_credentials" });
  });
});
