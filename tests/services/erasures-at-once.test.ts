import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraseAccount } from "../../lib/privacy/erase.js";
import { purgeDue } from "../../lib/privacy/purge.js";
import { aContext } from "../support/context.js";
import { aBoundUser, aGuest } from "../support/people.js";
import { useStores } from "../support/stores.js";

let url = "";
const stores = useStores({
  prepareDatabase: async (databaseUrl) => {
    url = databaseUrl;
    return databaseUrl;
  },
});
let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterAll(() => client.end());

const isWaiting = async () => {
  const { rows } = await client.query(
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows.length > 0;
};

describe("an erasure while a guest is merged into the account", () => {
  it("erases nothing, and the next try erases both", async () => {
    const [ada, guest] = [await aBoundUser(stores), await aGuest()];
    const there = async () => {
      const ids = [ada.user.id, guest.user.id];
      const { rows } = await client.query("select id from users where id = any($1)", [ids]);
      return rows.length;
    };
    // As a sign-in does: the lock first, then the merge.
    await client.query("begin");
    await client.query("select 1 from users where id = $1 for no key update", [ada.user.id]);
    await client.query("update users set is_guest = false, merged_into = $1 where id = $2", [
      ada.user.id,
      guest.user.id,
    ]);
    const erased = eraseAccount(aContext(), ada.user.id, "replay");
    await expect.poll(isWaiting).toBe(true);
    await client.query("commit");
    expect(await erased).toBe(false);
    expect(await there()).toBe(2);
    expect(await eraseAccount(aContext(), ada.user.id, "replay")).toBe(true);
    expect(await there()).toBe(0);
  });
});

describe("two purges at once", () => {
  it("erase each account once", async () => {
    const people = await Promise.all(Array.from({ length: 30 }, () => aGuest()));
    const ids = people.map(({ user }) => user.id);
    await client.query("update users set purge_at = now() where id = any($1)", [ids]);
    const purge = () => purgeDue(aContext(), Number.POSITIVE_INFINITY);
    const [one, other] = await Promise.all([purge(), purge()]);
    expect(one.erased + other.erased).toBe(30);
    for (const table of [
      "erasures where user_id",
      "audit_log where action = 'account.erased' and subject_id",
    ]) {
      const { rows } = await client.query(
        `select count(*)::int as count from ${table}::text = any($1)`,
        [ids],
      );
      expect([table, rows[0].count]).toEqual([table, 30]);
    }
  });
});
