import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import register from "../../api/auth/register.js";
import user from "../../api/user/index.js";
import { addressSubject } from "../../lib/auth/email/mail-code.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import { env } from "../../lib/env.js";
import { mailCode } from "../../lib/mail/codes.js";
import { type Answer, call } from "../support/call.js";
import { useEnvironment } from "../support/environment.js";
import {
  aBoundUser,
  aGuest,
  anAddress,
  aUser,
  earn,
  type Person,
  password,
} from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
// The rate limits of one account would stop most of the parallel requests.
useEnvironment({ RATE_LIMIT_TRUSTED_IPS: "0.0.0.0/0" });

const anEmail = () => `new-${randomUUID()}@example.com`;

const upgrade = (guest: TokenPair, email: string) =>
  call(register, "POST", {
    body: { email, password, name: "Ada", acceptedTerms: true },
    token: guest.accessToken,
    ip: anAddress(),
  });
const merge = (guest: TokenPair, { email, deviceId }: Person) =>
  call(login, "POST", {
    body: { email, password, device: { id: deviceId } },
    token: guest.accessToken,
    ip: anAddress(),
  });
const points = async (userId: string) => {
  const [row] = await stores.sql(
    "select coalesce(sum(xp), 0) as sum from xp_entries where user_id = $1",
    userId,
  );
  return Number(row?.sum);
};
const ownerOf = async ({ user: { id } }: TokenPair) => {
  const [row] = await stores.sql("select * from users where id = $1", id);
  return row;
};
const times = <T>(count: number, start: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => start(index)));
/** The possible errors of a request that lost the race, or for which password hashing had no capacity. */
const lostRaceCodes = ["session_revoked", "service_unavailable"];
const succeeded = (answers: Answer[]) => answers.filter(({ status }) => status < 300);

describe("parallel requests", () => {
  it("upgrade a guest to exactly one account", async () => {
    const guest = await aGuest();
    const email = anEmail();
    const answers = await times(20, () => upgrade(guest, email));
    const [upgraded, ...others] = succeeded(answers);
    expect(others).toEqual([]);
    expect(upgraded?.body.user).toMatchObject({ id: guest.user.id, email });
    for (const { code } of answers) expect([undefined, ...lostRaceCodes]).toContain(code);
    const rows = await stores.sql("select id from users where claimed_email = $1", email);
    expect(rows).toEqual([{ id: guest.user.id }]);
    const live = await stores.sql(
      "select id from sessions where user_id = $1 and revoked_at is null",
      guest.user.id,
    );
    expect(live).toEqual([{ id: upgraded?.body.sessionId }]);
    const codes = await stores.sql("select from mail_codes where subject = $1", guest.user.id);
    expect(codes).toHaveLength(1);
    const read = await call(user, "GET", { token: upgraded?.body.accessToken });
    expect(read.status).toBe(200);
  });

  it("return session_revoked to the second of two upgrades of a guest", async () => {
    for (let round = 0; round < 5; round++) {
      const guest = await aGuest();
      const answers = await times(2, () => upgrade(guest, anEmail()));
      const codes = answers.map(({ status, code }) => code ?? status);
      expect(codes.toSorted()).toEqual([201, "session_revoked"]);
    }
  });

  it("merge a guest into exactly one of four accounts, without lost or duplicated points", async () => {
    for (let round = 0; round < 5; round++) {
      const people = await times(4, () => aBoundUser(stores));
      const guest = await aGuest();
      await earn(stores, guest, 10);
      const answers = await Promise.all(people.map((person) => merge(guest, person)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      const owner = await ownerOf(guest);
      expect(people.map((person) => person.user.id)).toContain(owner?.merged_into);
      const earned = await Promise.all(people.map((person) => points(person.user.id)));
      expect(earned.sort()).toEqual([0, 0, 0, 10]);
      expect(await points(owner?.merged_into ?? "")).toBe(10);
    }
  });

  it("merge a guest into an account once, for four parallel logins", async () => {
    const [person, guest] = [await aBoundUser(stores), await aGuest()];
    await earn(stores, guest, 10);
    const answers = await times(4, () => merge(guest, person));
    expect(succeeded(answers)).toHaveLength(4);
    expect(await points(person.user.id)).toBe(10);
    expect((await ownerOf(guest))?.merged_into).toBe(person.user.id);
  });

  it("either upgrade or merge a guest, not both", async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const [person, guest] = [await aBoundUser(stores), await aGuest()];
      await earn(stores, guest, 10);
      const email = anEmail();
      const [upgraded, merged] = await Promise.all([upgrade(guest, email), merge(guest, person)]);
      expect(merged.status).toBe(200);
      const owner = await ownerOf(guest);
      if (owner?.merged_into) {
        seen.add("merged");
        expect(owner).toMatchObject({ merged_into: person.user.id, claimed_email: null });
        // The upgrade lost the race, or ran so late that the guest's token was already invalid.
        expect(upgraded.code ?? upgraded.status).toBeOneOf([201, "service_unavailable"]);
        expect(upgraded.body.user?.id).not.toBe(guest.user.id);
        expect(await points(person.user.id)).toBe(10);
      } else {
        seen.add("upgraded");
        expect(upgraded).toMatchObject({ status: 201 });
        expect(upgraded.body.user.id).toBe(guest.user.id);
        expect(await points(guest.user.id)).toBe(10);
        expect(await points(person.user.id)).toBe(0);
      }
    }
    expect(seen.size).toBeGreaterThan(0);
  });

  it("move points that are earned during the merge", async () => {
    const [person, guest] = [await aBoundUser(stores), await aGuest()];
    const earning = stores.sql(`do $$ begin
      insert into xp_entries (user_id, kind, fact, xp, local_date, earned_at, revision)
        values ('${guest.user.id}', 'test', gen_random_uuid()::text, 10, current_date, now(), 1);
      perform pg_sleep(0.7);
    end $$`);
    const answer = await merge(guest, person);
    await earning;
    expect(answer.status).toBe(200);
    expect(await points(person.user.id)).toBe(10);
  });

  it("keep ten sessions per user", async () => {
    const person = await aBoundUser(stores);
    // Makes all of them write at the same time, even if their password hashes are queued.
    const held = stores.sql(`do $$ begin
      perform from users where id = '${person.user.id}' for update;
      perform pg_sleep(0.7);
    end $$`);
    const answers = await times(20, () =>
      call(login, "POST", {
        body: { email: person.email, password, device: { id: randomUUID() } },
        ip: anAddress(),
      }),
    );
    await held;
    const begun = succeeded(answers);
    for (const { code } of answers) expect([undefined, "service_unavailable"]).toContain(code);
    expect(begun.length).toBeGreaterThanOrEqual(10);
    const live = await stores.sql(
      "select id from sessions where user_id = $1 and revoked_at is null",
      person.user.id,
    );
    expect(live).toHaveLength(10);
    const tokens = [person.accessToken, ...begun.map(({ body }) => body.accessToken)];
    const reads = await Promise.all(
      tokens.map(async (token) => (await call(user, "GET", { token })).status),
    );
    expect(reads.filter((status) => status === 200)).toHaveLength(10);
    await stores.settled();
    const displaced = await stores.sql(
      "select from security_events where event = 'session_displaced' and user_id = $1",
      person.user.id,
    );
    expect(displaced).toHaveLength(begun.length + 1 - 10);
  });

  it("bind an e-mail address to one account with one code", async () => {
    for (let round = 0; round < 5; round++) {
      const email = anEmail();
      const own = ["the first one's", "the second one's"];
      for (const claimed of own) await aUser({ email, password: claimed });
      const send = (typed: string, otp?: string) =>
        call(login, "POST", {
          body: { email, password: typed, ...(otp === undefined ? {} : { otp }) },
          ip: anAddress(),
        });
      await send("the first one's");
      await stores.settled();
      const subject = addressSubject(env(), email);
      const [code] = await stores.sql("select id from mail_codes where subject = $1", subject);
      const otp = mailCode(env(), code?.id ?? "");
      const answers = await Promise.all([...own, ...own].map((typed) => send(typed, otp)));
      const [signedIn] = succeeded(answers);
      const bound = await stores.sql("select id from users where email = $1", email);
      expect(bound).toEqual([{ id: signedIn?.body.user.id }]);
      const left = await stores.sql("select from mail_codes where id = $1", code?.id ?? null);
      expect(left).toEqual([]);
      for (const { body } of succeeded(answers)) expect(body.user.id).toBe(bound[0]?.id);
    }
  });
});
