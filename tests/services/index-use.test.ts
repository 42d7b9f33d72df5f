import { describe, expect, inject, it } from "vitest";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { createDatabase } from "../support/real-stores.js";
import { wholeReads } from "../support/whole-reads.js";

/** After each file of tests over real stores, the same is asked of every statement that its routes sent. */
describe("the check of the statements that routes send", () => {
  it("finds a statement whose index was dropped, and a read of a whole index or of all its null values", async () => {
    const database = await createDatabase(inject("migrated"));
    const pool = postgresPool(database.url, { connectionsMax: 1 });
    const statements = [
      { text: "select id from users where email = $1", params: ["a@example.com"] },
      { text: "update sessions set revoked_at = now() where user_id = $1", params: [null] },
      { text: "select count(*) from idempotency_keys", params: [] },
      { text: "select scope from idempotency_keys order by scope, key limit 5", params: [] },
      { text: "select name from flags", params: [] },
      { text: "select id from users where email is null", params: [] },
      {
        text: "select id from users where claimed_email = $1 and email is null",
        params: ["a@example.com"],
      },
      { text: "select user_id from sessions where device_id = $1", params: ["d"] },
      { text: "select count(*) from sessions where revoked_at is null", params: [] },
      { text: "select id from users where email is null limit 5", params: [] },
      {
        text: "select id from users where email = $1 or email is null and claimed_email = $2",
        params: ["a@example.com", "a@example.com"],
      },
      { text: "select id from audit_log where subject_id is null and at > now()", params: [] },
    ];
    const found = async () =>
      (await wholeReads(pool, statements)).map(({ tables, text }) => `${tables}: ${text}`);
    const wholeIndex = "idempotency_keys: select count(*) from idempotency_keys";
    const nullValues = `users: ${statements[5]?.text}`;
    const secondColumn = `sessions: ${statements[7]?.text}`;
    expect(await found()).toEqual([wholeIndex, nullValues, secondColumn]);
    await pool.query({ text: "drop index users_claimed_email_idx", params: [] });
    const claims = `users: ${statements[6]?.text}`;
    const either = `users: ${statements[10]?.text}`;
    expect(await found()).toEqual([wholeIndex, nullValues, claims, secondColumn, either]);
    await pool.query({ text: "drop index users_email_key", params: [] });
    expect(await found()).toEqual([
      `users: ${statements[0]?.text}`,
      wholeIndex,
      nullValues,
      claims,
      secondColumn,
      `users: ${statements[9]?.text}`,
      either,
    ]);
    await pool.close();
    await database.drop();
  });
});
