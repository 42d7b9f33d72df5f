import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import resetPassword from "../../../api/auth/reset-password.js";
import { deliverDue } from "../../../lib/mail/deliver.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { costOf } from "../../support/cost.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useMailbox } from "../../support/mailbox.js";
import { aConfirmedUser, mailedCode, otherCode, queuedMail } from "../../support/mailed-codes.js";
import { anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

useEnvironment();
const stores = useStores();

const requestReset = (email: string, { ip = anAddress(), device = {} } = {}) =>
  call(forgotPassword, "POST", { body: { email, ...device }, ip });
const reset = (email: string, code: string, { device = {}, headers = {} } = {}) =>
  call(resetPassword, "POST", {
    body: { email, code, password: "a battery that is new", ...device },
    headers,
    ip: anAddress(),
  });
const fromDevice = (id: string) => ({ device: { device: { id } } });

/** The ID of the account that owns the address after the reset. */
async function ownerAfterReset(email: string, asked = {}, resetting = {}) {
  await requestReset(email, asked);
  const code = await mailedCode(stores, "reset_password", email);
  expect((await reset(email, code, resetting)).status).toBe(204);
  const [row] = await stores.sql("select id from users where email = $1", email);
  return row?.id;
}

const codesOf = (email: string) =>
  stores.sql(
    "select * from mail_codes where purpose = 'reset_password' and email = $1 order by created_at",
    email,
  );
const letHourPass = () =>
  stores.sql(
    `update mail_budgets set admitted_at = array(
       select at - interval '1 hour' from unnest(admitted_at) at)`,
  );

const addExperiencePoints = (userId: string, points: number) =>
  stores.sql(
    `insert into xp_entries (user_id, kind, fact, xp, local_date, earned_at, revision)
      values ($2, 'answers', $1, $3, current_date, now(), 1)`,
    randomUUID(),
    userId,
    String(points),
  );

const addresses: Record<string, () => Promise<string>> = {
  "a bound address": async () => (await aConfirmedUser(stores)).email,
  "a claimed address": async () => (await aUser()).email,
  "an address with several claims": async () => {
    const { email } = await aUser();
    await aUser({ email });
    return email;
  },
  "an unknown address": async () => `nobody-${randomUUID()}@example.com`,
  "an invalid address": async () => "no address",
  "an address with a zero-width character": async () => "a\u200bb@example.com",
  "an empty address": async () => "",
};

describe("POST /api/auth/forgot-password", () => {
  it("returns the same headers for known and unknown addresses", async () => {
    const { email } = await aConfirmedUser(stores);
    const known = await requestReset(email);
    const unknown = await requestReset(`nobody-${randomUUID()}@example.com`);
    expect([...unknown.headers.keys()]).toEqual([...known.headers.keys()]);
  });

  it("mails the code to the account with the confirmed address, not to other claimants", async () => {
    const owner = await aConfirmedUser(stores);
    const stranger = await aUser({ email: owner.email });
    await addExperiencePoints(stranger.user.id, 1000);
    expect((await requestReset(owner.email.toUpperCase())).status).toBe(202);
    const mails = await queuedMail(stores, { email: owner.email });
    expect(mails.at(-1)).toMatchObject({ template: "reset_password", send: true });
    expect(await ownerAfterReset(owner.email, {}, fromDevice(stranger.deviceId))).toBe(
      owner.user.id,
    );
  });

  it("chooses the claim with the most experience points, then the oldest", async () => {
    const [first, second] = [await aUser(), await aUser()];
    await aUser({ email: first.email });
    expect(await ownerAfterReset(first.email)).toBe(first.user.id);
    const learner = await aUser({ email: second.email });
    await addExperiencePoints(learner.user.id, 10);
    await addExperiencePoints(learner.user.id, 10);
    await addExperiencePoints(second.user.id, 15);
    expect(await ownerAfterReset(second.email)).toBe(learner.user.id);
  });

  it.each<[string, (id: string) => [asked: object, resetting: object]]>([
    ["resets", (id) => [{}, fromDevice(id)]],
    ["resets, in the Device-Id header", (id) => [{}, { headers: { "device-id": id } }]],
    ["requests the code", (id) => [fromDevice(id), {}]],
    [
      "resets, although another device requested the code",
      (id) => [fromDevice("the-device-of-a-stranger"), fromDevice(id)],
    ],
  ])("prefers the oldest claim of the device that %s", async (_, devicesOf) => {
    const learner = await aUser();
    const { email } = learner;
    await addExperiencePoints(learner.user.id, 100);
    await aUser({ email, device: { id: "the-device-of-a-stranger" } });
    const [id, device] = [randomUUID(), undefined];
    await aUser({ email, device });
    const here = await aUser({ email, device: { id } });
    const later = await aUser({ email, device: { id } });
    await addExperiencePoints(later.user.id, 50);
    expect(await ownerAfterReset(email, ...devicesOf(id))).toBe(here.user.id);
  });

  it("does not match a claim made without a device to a request without a device", async () => {
    const { email } = await aUser({ device: undefined });
    const learner = await aUser({ email });
    await addExperiencePoints(learner.user.id, 1);
    expect(await ownerAfterReset(email)).toBe(learner.user.id);
  });

  it("mails a new code each time and keeps earlier codes valid for ten minutes", async () => {
    const { email } = await aUser();
    const codes: string[] = [];
    for (let turn = 0; turn < 10; turn++) {
      await requestReset(email);
      codes.push(await mailedCode(stores, "reset_password", email));
    }
    expect(new Set(codes).size).toBe(10);
    const lives = await stores.sql(
      `select distinct extract(epoch from expires_at - created_at)::int as seconds
       from mail_codes where purpose = 'reset_password' and email = $1`,
      email,
    );
    expect(lives).toEqual([{ seconds: "600" }]);
    expect((await reset(email, codes[0] ?? "")).status).toBe(204);
  });

  it("mails one address ten times an hour, then once after each code expires", async () => {
    const { email } = await aUser();
    for (let turn = 0; turn < 12; turn++) await requestReset(email);
    expect(await codesOf(email)).toHaveLength(10);
    const minutesPass = (minutes: number) =>
      stores.sql(`update mail_budgets set
        last_admitted_at = last_admitted_at - interval '${minutes} minutes',
        admitted_at = array(select at - interval '${minutes} minutes' from unnest(admitted_at) at)`);
    await minutesPass(9);
    await requestReset(email);
    expect(await codesOf(email)).toHaveLength(10);
    await minutesPass(1);
    await requestReset(email);
    await requestReset(email);
    expect(await codesOf(email)).toHaveLength(11);
  });

  it.each(["a bound address", "a claimed address", "an unknown address"])(
    "mails three times an hour for requests from one IP address: %s",
    async (name) => {
      const ip = anAddress();
      const email = await (addresses[name] as () => Promise<string>)();
      for (let turn = 0; turn < 3; turn++) await requestReset(email, { ip });
      const before = await stores.sql("select * from mail_budgets order by address_hash");
      const other = await (addresses[name] as () => Promise<string>)();
      for (const asked of [email, other]) {
        const cost = await costOf(stores, () => requestReset(asked, { ip }));
        expect(cost).toMatchObject({ status: 202, rows: { codes: 0, mails: 0 } });
      }
      expect(await codesOf(email)).toHaveLength(3);
      expect(await stores.sql("select * from mail_budgets order by address_hash")).toEqual(before);
      await letHourPass();
      await requestReset(other, { ip });
      expect(await codesOf(other)).toHaveLength(1);
    },
  );

  it("does not count a request against the IP address when the address's mail budget is spent", async () => {
    const { email } = await aUser();
    for (let turn = 0; turn < 10; turn++) await requestReset(email);
    const codes = await codesOf(email);
    const ip = anAddress();
    for (let turn = 0; turn < 4; turn++) await requestReset(email, { ip });
    expect(await codesOf(email)).toEqual(codes);
    expect(codes).toHaveLength(10);
    const other = await aUser();
    for (let turn = 0; turn < 4; turn++) await requestReset(other.email, { ip });
    expect(await codesOf(other.email)).toHaveLength(3);
    await letHourPass();
    await requestReset(email, { ip });
    expect(await codesOf(email)).toHaveLength(11);
  });

  it("exempts a trusted IP address from the per-IP limit", async () => {
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "192.0.2.7" });
    const { email } = await aUser();
    for (let turn = 0; turn < 11; turn++) await requestReset(email, { ip: "192.0.2.7" });
    expect(await codesOf(email)).toHaveLength(10);
  });

  it("counts a wrong code as an attempt against every live code", async () => {
    const { email } = await aUser();
    await requestReset(email);
    const first = await mailedCode(stores, "reset_password", email);
    await reset(email, otherCode(first));
    await requestReset(email);
    await reset(email, otherCode(first));
    expect((await codesOf(email)).map(({ attempts }) => attempts)).toEqual(["2", "1"]);
  });

  it("returns 422 for a body that is not exactly one e-mail field", async () => {
    for (const body of [{}, { email: 1 }, { email: "a".repeat(255) }, { email: "a@b.c", x: 1 }]) {
      expect(await call(forgotPassword, "POST", { body })).toMatchObject({
        status: 422,
        code: "validation_failed",
      });
    }
  });

  it("returns 503 while Postgres is unavailable, and works without Redis", async () => {
    const { email } = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await requestReset(email)).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.postgres.set(null);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await requestReset(email)).status).toBe(202);
  });

  it.each(Object.keys(addresses))(
    "gives the same response for %s at the same cost",
    async (name) => {
      const email = await (addresses[name] as () => Promise<string>)();
      expect(await costOf(stores, () => requestReset(email))).toEqual({
        status: 202,
        body: {},
        headers: expect.arrayContaining(["x-correlation-id", "ratelimit"]),
        hashes: 0,
        calls: { redisTrips: 1, redisCommands: 7, postgresCalls: 1 },
        rows: { codes: 1, mails: 1, audits: 0, sessions: 0, events: 0, users: 0 },
      });
    },
  );
});

describe("the reset mail", () => {
  const mailbox = useMailbox();

  it("is delivered to an address with an account, with a budget separate from registration mail", async () => {
    const person = await aUser();
    for (let turn = 0; turn < 4; turn++) await aUser({ email: person.email });
    await requestReset(person.email);
    const code = await mailbox.codeTo(person.email);
    expect(code).toBe(await mailedCode(stores, "reset_password", person.email));
    expect((await reset(person.email, code)).status).toBe(204);
  });

  it("is not sent to an address without an account, and its outbox row is deleted", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    await requestReset(email);
    expect(await mailbox.to(email)).toEqual([]);
    expect(await queuedMail(stores, { email })).toEqual([]);
  });

  it("is not sent directly after the response", async () => {
    const { email } = await aConfirmedUser(stores);
    await stores.settled();
    const asked = requestReset(email);
    await asked;
    await stores.resetCalls();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sent = JSON.stringify(stores.faults.postgres.calls);
    expect(sent).not.toContain("queue_entries");
    expect(await mailbox.to(email)).not.toEqual([]);
  });

  it("is sent by the next cron tick when the process ended before sending", async () => {
    const { email } = await aUser();
    setEnvironment({ RESEND_API_KEY: "" });
    await requestReset(email);
    setEnvironment({});
    await deliverDue(aContext());
    expect(await mailbox.codeTo(email)).toMatch(/^\w{8}$/);
  });
});
