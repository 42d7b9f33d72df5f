import { describe, expect, inject, it } from "vitest";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { createDatabase } from "../support/real-stores.js";
import { wholeReads } from "../support/whole-reads.js";

/** After each file of tests over real stores, the same is asked of every statement that its routes sent. */
describe("the check of the statements that routes send", () => {
  it("finds a statement whose index was dropped, and a read of a whole index", async () => {
    const database = await createDatabase(inject("migrated"));
    const pool = postgresPool(database.url, { connectionsMax: 1 });
    const statements = [
      { text: "select id from users where email = $1", params: ["a@example.com"] },
      { text: "update sessions set revoked_at = now() where user_id = $1", params: [null] },
      { text: "select count(*) from idempotency_keys", params: [] },
      { text: "select scope from idempotency_keys order by scope, key limit 5", params: [] },
      { text: "select name from flags", params: [] },
    ];
    const found = async () =>
      (await wholeReads(pool, statements)).map(({ tables, text }) => `${tables}: ${text}`);
    const wholeIndex = "idempotency_keys: select count(*) from idempotency_keys";
    expect(await found()).toEqual([wholeIndex]);
    await pool.query({ text: "drop index users_email_key", params: [] });
    expect(await found()).toEqual([`users: ${statements[0]?.text}`, wholeIndex]);
    await pool.close();
    await database.drop();
  });
});
