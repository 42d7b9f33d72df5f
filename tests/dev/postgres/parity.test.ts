import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Client, cases, clientFor, schema } from "./parity-cases.js";
import { type ServedDatabase, stores } from "./served-database.js";

describe.each(stores)("the Neon endpoint over $name", ({ serve }) => {
  let database: ServedDatabase;
  let client: Client;

  beforeAll(async () => {
    database = await serve();
    client = clientFor(database.connectionString);
  }, 30_000);
  afterAll(() => database.close());
  beforeEach(async () => {
    const sql = neon(database.connectionString);
    await sql.transaction(
      ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public", ...schema].map((text) =>
        sql.query(text),
      ),
    );
  });

  it.each(cases)("$name", async ({ run, expected }) => {
    expect(await run(client)).toEqual(expected);
  });
});
