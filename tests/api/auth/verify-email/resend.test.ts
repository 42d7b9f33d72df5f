import { describe, expect, it } from "vitest";
import resend from "../../../../api/auth/verify-email/resend.js";
import { call } from "../../../support/call.js";
import { costOf } from "../../../support/cost.js";
import { aConfirmedUser, mailedCode, queuedMail } from "../../../support/mailed-codes.js";
import { aUser, type Person } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

const send = ({ accessToken: token }: Person) => call(resend, "POST", { token });

const people: Record<string, () => Promise<Person>> = {
  "claims a free address": () => aUser(),
  "claims another account's address": async () => {
    const owner = await aConfirmedUser(stores);
    return aUser({ email: owner.email });
  },
  "claims an address with other claims": async () => {
    const other = await aUser();
    return aUser({ email: other.email });
  },
  "has confirmed it already": () => aConfirmedUser(stores),
  "is a guest": async () => {
    const guest = await aUser();
    await stores.sql(
      `update users set is_guest = true, claimed_email = null, claim_device = null,
         password_hash = null where id = $1`,
      guest.user.id,
    );
    return guest;
  },
};

describe("POST /api/auth/verify-email/resend", () => {
  it("mails the same code again while it is recent", async () => {
    const person = await aUser();
    await send(person);
    const code = await mailedCode(stores, "verify_email", person.email);
    await send(person);
    expect(await mailedCode(stores, "verify_email", person.email)).toBe(code);
  });

  it("mails a notice to the owner of a confirmed address and issues no valid code", async () => {
    const owner = await aConfirmedUser(stores);
    const stranger = await aUser({ email: owner.email });
    await send(stranger);
    const mails = await queuedMail(stores, { email: owner.email });
    expect(mails.at(-1)).toMatchObject({ template: "address_taken", send: true });
    const rows = await stores.sql(
      "select user_id from mail_codes where purpose = 'verify_email' and subject = $1",
      stranger.user.id,
    );
    expect(rows).toEqual([{ user_id: null }]);
  });

  it("sends no mail for a confirmed account", async () => {
    const person = await aConfirmedUser(stores);
    await send(person);
    const [last] = await stores.sql(
      "select send from queue_entries order by created_at desc limit 1",
    );
    expect(last?.send).toBe("f");
  });

  it("allows 30 requests per session in five minutes", async () => {
    const person = await aUser();
    const statuses = [];
    for (let turn = 0; turn < 31; turn++) statuses.push((await send(person)).status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(30);
    expect(statuses.at(-1)).toBe(429);
  });

  it.each(Object.keys(people))(
    "gives the same response at the same cost when the account %s",
    async (name) => {
      const free = await aUser();
      await send(free);
      await stores.sql("delete from mail_codes where subject = $1", free.user.id);
      const expected = await costOf(stores, () => send(free));
      expect(expected).toMatchObject({
        status: 202,
        body: {},
        hashes: 0,
        calls: { redisTrips: 1, postgresCalls: 1 },
        rows: { codes: 1, mails: 1 },
      });
      const person = await (people[name] as () => Promise<Person>)();
      await stores.sql("delete from mail_codes where subject = $1", person.user.id);
      expect(await costOf(stores, () => send(person))).toEqual(expected);
    },
  );
});
