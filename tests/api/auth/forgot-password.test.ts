import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import { addressSubject } from "../../../lib/auth/email/mail-code.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { costOf } from "../../support/cost.js";
import { aConfirmedUser, mailedCode, queuedMail } from "../../support/mailed-codes.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

const ask = (email: string) => call(forgotPassword, "POST", { body: { email } });
const subjectOf = (email: string) => addressSubject(env(), email);

/** Whose password the code for an address would set. */
async function chosenFor(email: string): Promise<string | null | undefined> {
  await ask(email);
  const [row] = await stores.sql(
    "select user_id from mail_codes where purpose = 'reset_password' and subject = $1",
    subjectOf(email),
  );
  return row?.user_id;
}

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
    expect(await chosenFor(owner.email)).toBe(owner.user.id);
    const mails = await queuedMail(stores, { email: owner.email });
    expect(mails.at(-1)).toMatchObject({ template: "reset_password", send: true });
  });

  it("chooses the claim with the most experience points, then the oldest", async () => {
    const oldest = await aUser();
    const { email } = oldest;
    const learner = await aUser({ email });
    await aUser({ email });
    expect(await chosenFor(email)).toBe(oldest.user.id);
    await xp(learner.user.id, 10);
    await xp(learner.user.id, 10);
    await xp(oldest.user.id, 15);
    expect(await chosenFor(email)).toBe(learner.user.id);
  });

  it("sends nothing where nobody is", async () => {
    const email = `nobody-${randomUUID()}@example.com`;
    expect(await chosenFor(email)).toBe(null);
    expect(await queuedMail(stores, { email })).toMatchObject([{ send: false }]);
  });

  it("keeps no address of a code in the clear but the one it is mailed to", async () => {
    const { email } = await aUser();
    await ask(email);
    const [row] = await stores.sql(
      "select subject from mail_codes where purpose = 'reset_password' and email = $1",
      email,
    );
    expect(row?.subject).toMatch(/^[\w-]{22}$/);
  });

  it("mails a fresh code again, and another one when its attempts or half its life are over", async () => {
    const { email } = await aUser();
    const code = async () => {
      await ask(email);
      return mailedCode(stores, "reset_password", email);
    };
    const first = await code();
    expect(await code()).toBe(first);
    await stores.sql("update mail_codes set attempts = 5 where email = $1", email);
    const second = await code();
    expect(second).not.toBe(first);
    await stores.sql(
      "update mail_codes set expires_at = expires_at - interval '6 minutes' where email = $1",
      email,
    );
    const third = await code();
    expect(third).not.toBe(second);
    const [live] = await stores.sql(
      "select count(*) from mail_codes where purpose = 'reset_password' and email = $1",
      email,
    );
    expect(live?.count).toBe("1");
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
    await ask(email);
    await stores.sql("delete from mail_codes");
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
