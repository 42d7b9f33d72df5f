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

const ask = (email: string, { ip = anAddress(), device = {} } = {}) =>
  call(forgotPassword, "POST", { body: { email, ...device }, ip });
const reset = (email: string, code: string, { device = {}, headers = {} } = {}) =>
  call(resetPassword, "POST", {
    body: { email, code, password: "a battery that is new", ...device },
    headers,
    ip: anAddress(),
  });
const on = (id: string) => ({ device: { device: { id } } });

/** The account that has the address once it is reset. */
async function boundBy(email: string, asked = {}, resetting = {}) {
  await ask(email, asked);
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
const hourPasses = () =>
  stores.sql(
    `update mail_budgets set admitted_at = array(
       select at - interval '1 hour' from unnest(admitted_at) at)`,
  );

const xp = (userId: string, points: number) =>
  stores.sql(
    "insert into xp_entries (source, source_id, user_id, points, earned_at) values ('answer', $1, $2, $3, now())",
    randomUUID(),
    userId,
    String(points),
  );

const addresses: Record<string, () => Promise<string>> = {
  "a bound address": async () => (await aConfirmedUser(stores)).email,
  "a claimed address": async () => (await aUser()).email,
  "an address that several claim": async () => {
    const { email } = await aUser();
    await aUser({ email });
    return email;
  },
  "an unknown address": async () => `nobody-${randomUUID()}@example.com`,
  "what is no address": async () => "no address",
  "an address with a zero-width character": async () => "a\u200bb@example.com",
  nothing: async () => "",
};

describe("POST /api/auth/forgot-password", () => {
  it("answers known and unknown addresses with the same headers", async () => {
    const { email } = await aConfirmedUser(stores);
    const known = await ask(email);
    const unknown = await ask(`nobody-${randomUUID()}@example.com`);
    expect([...unknown.headers.keys()]).toEqual([...known.headers.keys()]);
  });

  it("mails the code to the account that the address is bound to, whatever others claim", async () => {
    const owner = await aConfirmedUser(stores);
    const stranger = await aUser({ email: owner.email });
    await xp(stranger.user.id, 1000);
    expect((await ask(owner.email.toUpperCase())).status).toBe(202);
    const mails = await queuedMail(stores, { email: owner.email });
    expect(mails.at(-1)).toMatchObject({ template: "reset_password", send: true });
    expect(await boundBy(owner.email, {}, on(stranger.deviceId))).toBe(owner.user.id);
  });

  it("chooses the claim with the most experience points, then the oldest", async () => {
    const [first, second] = [await aUser(), await aUser()];
    await aUser({ email: first.email });
    expect(await boundBy(first.email)).toBe(first.user.id);
    const learner = await aUser({ email: second.email });
    await xp(learner.user.id, 10);
    await xp(learner.user.id, 10);
    await xp(second.user.id, 15);
    expect(await boundBy(second.email)).toBe(learner.user.id);
  });

  it.each<[string, (id: string) => [asked: object, resetting: object]]>([
    ["resets", (id) => [{}, on(id)]],
    ["resets, by its header", (id) => [{}, { headers: { "device-id": id } }]],
    ["asks", (id) => [on(id), {}]],
    ["resets, whatever device asked", (id) => [on("the-device-of-a-stranger"), on(id)]],
  ])("prefers the oldest claim of the device that %s", async (_, devicesOf) => {
    const learner = await aUser();
    const { email } = learner;
    await xp(learner.user.id, 100);
    await aUser({ email, device: { id: "the-device-of-a-stranger" } });
    const [id, device] = [randomUUID(), undefined];
    await aUser({ email, device });
    const here = await aUser({ email, device: { id } });
    const later = await aUser({ email, device: { id } });
    await xp(later.user.id, 50);
    expect(await boundBy(email, ...devicesOf(id))).toBe(here.user.id);
  });

  it("does not take a claim that was made without a device for one of this device", async () => {
    const { email } = await aUser({ device: undefined });
    const learner = await aUser({ email });
    await xp(learner.user.id, 1);
    expect(await boundBy(email)).toBe(learner.user.id);
  });

  it("mails a code of its own each time, and leaves those before it for their ten minutes", async () => {
    const { email } = await aUser();
    const codes: string[] = [];
    for (let turn = 0; turn < 10; turn++) {
      await ask(email);
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

  it("mails ten times an hour to one address, and then whenever the last code has ended", async () => {
    const { email } = await aUser();
    for (let turn = 0; turn < 12; turn++) await ask(email);
    expect(await codesOf(email)).toHaveLength(10);
    const minutesPass = (minutes: number) =>
      stores.sql(`update mail_budgets set
        last_admitted_at = last_admitted_at - interval '${minutes} minutes',
        admitted_at = array(select at - interval '${minutes} minutes' from unnest(admitted_at) at)`);
    await minutesPass(9);
    await ask(email);
    expect(await codesOf(email)).toHaveLength(10);
    await minutesPass(1);
    await ask(email);
    await ask(email);
    expect(await codesOf(email)).toHaveLength(11);
  });

  it.each(["a bound address", "a claimed address", "an unknown address"])(
    "mails three times an hour at the request of one IP address: %s",
    async (name) => {
      const ip = anAddress();
      const email = await (addresses[name] as () => Promise<string>)();
      for (let turn = 0; turn < 3; turn++) await ask(email, { ip });
      const before = await stores.sql("select * from mail_budgets order by address_hash");
      const other = await (addresses[name] as () => Promise<string>)();
      for (const asked of [email, other]) {
        const cost = await costOf(stores, () => ask(asked, { ip }));
        expect(cost).toMatchObject({ status: 202, rows: { codes: 0, mails: 0 } });
      }
      expect(await codesOf(email)).toHaveLength(3);
      expect(await stores.sql("select * from mail_budgets order by address_hash")).toEqual(before);
      await hourPasses();
      await ask(other, { ip });
      expect(await codesOf(other)).toHaveLength(1);
    },
  );

  it("mails ten times an hour to one address, and counts no IP address for more", async () => {
    const { email } = await aUser();
    for (let turn = 0; turn < 10; turn++) await ask(email);
    const codes = await codesOf(email);
    const ip = anAddress();
    for (let turn = 0; turn < 4; turn++) await ask(email, { ip });
    expect(await codesOf(email)).toEqual(codes);
    expect(codes).toHaveLength(10);
    const other = await aUser();
    for (let turn = 0; turn < 4; turn++) await ask(other.email, { ip });
    expect(await codesOf(other.email)).toHaveLength(3);
    await hourPasses();
    await ask(email, { ip });
    expect(await codesOf(email)).toHaveLength(11);
  });

  it("does not limit a trusted IP address by itself", async () => {
    setEnvironment({ RATE_LIMIT_TRUSTED_IPS: "192.0.2.7" });
    const { email } = await aUser();
    for (let turn = 0; turn < 11; turn++) await ask(email, { ip: "192.0.2.7" });
    expect(await codesOf(email)).toHaveLength(10);
  });

  it("counts the tries of a code against each that lives", async () => {
    const { email } = await aUser();
    await ask(email);
    const first = await mailedCode(stores, "reset_password", email);
    await reset(email, otherCode(first));
    await ask(email);
    await reset(email, otherCode(first));
    expect((await codesOf(email)).map(({ attempts }) => attempts)).toEqual(["2", "1"]);
  });

  it("refuses a body that is not exactly an address", async () => {
    for (const body of [{}, { email: 1 }, { email: "a".repeat(255) }, { email: "a@b.c", x: 1 }]) {
      expect(await call(forgotPassword, "POST", { body })).toMatchObject({
        status: 422,
        code: "validation_failed",
      });
    }
  });

  it("answers 503 while Postgres is away, and works without Redis", async () => {
    const { email } = await aUser();
    await stores.faults.postgres.set({ kind: "refuse" });
    expect(await ask(email)).toMatchObject({ status: 503, code: "service_unavailable" });
    await stores.faults.postgres.set(null);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await ask(email)).status).toBe(202);
  });

  it.each(Object.keys(addresses))("answers %s alike, at the same cost", async (name) => {
    const email = await (addresses[name] as () => Promise<string>)();
    expect(await costOf(stores, () => ask(email))).toEqual({
      status: 202,
      body: {},
      headers: expect.arrayContaining(["x-correlation-id", "ratelimit"]),
      hashes: 0,
      calls: { redisTrips: 1, redisCommands: 7, postgresCalls: 1 },
      rows: { codes: 1, mails: 1, audits: 0, sessions: 0, events: 0, users: 0 },
    });
  });
});

describe("the mail of a forgotten password", () => {
  const mailbox = useMailbox();

  it("is delivered where an account has the address, and apart from registration's budget", async () => {
    const person = await aUser();
    for (let turn = 0; turn < 4; turn++) await aUser({ email: person.email });
    await ask(person.email);
    const code = await mailbox.codeTo(person.email);
    expect(code).toBe(await mailedCode(stores, "reset_password", person.email));
    expect((await reset(person.email, code)).status).toBe(204);
  });

  it("is withheld where no account has the address, and its row is removed", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    await ask(email);
    expect(await mailbox.to(email)).toEqual([]);
    expect(await queuedMail(stores, { email })).toEqual([]);
  });

  it("begins no work right after the reply", async () => {
    const { email } = await aConfirmedUser(stores);
    await stores.settled();
    const asked = ask(email);
    await asked;
    await stores.resetCalls();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sent = JSON.stringify(stores.faults.postgres.calls);
    expect(sent).not.toContain("queue_entries");
    expect(await mailbox.to(email)).not.toEqual([]);
  });

  it("is sent by the next tick when the process has ended before", async () => {
    const { email } = await aUser();
    setEnvironment({ RESEND_API_KEY: "" });
    await ask(email);
    setEnvironment({});
    await deliverDue(aContext());
    expect(await mailbox.codeTo(email)).toMatch(/^\w{8}$/);
  });
});
