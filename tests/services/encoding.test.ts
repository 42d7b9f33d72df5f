import { randomBytes } from "node:crypto";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { migrateCommand } from "../../lib/db/migrations/command.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";

const serverUrl = process.env.TEST_DATABASE_URL ?? "";

describe("db:migrate", () => {
  it.each(["LATIN1", "SQL_ASCII"])(
    "rejects a database with the encoding %s, and changes nothing",
    async (encoding) => {
      const name = `test_${randomBytes(8).toString("hex")}`;
      const connectionString = Object.assign(new URL(serverUrl), { pathname: name }).href;
      await onServer(
        serverUrl,
        `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`,
      );
      const errors: string[] = [];
      const code = await migrateCommand(
        ["up"],
        async () => connectForMigrations({ connectionString }),
        { out: () => {}, error: (line) => errors.push(line) },
      );
      const tables = await onServer(
        connectionString,
        "SELECT FROM pg_class WHERE relname ~ '^schema_'",
      );
      await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      expect(errors).toEqual([
        `The database encoding is ${encoding} but must be UTF8: create it with ENCODING 'UTF8' TEMPLATE template0`,
      ]);
      expect({ code, tables }).toEqual({ code: 1, tables: 0 });
    },
  );
});

async function onServer(connectionString: string, statement: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rowCount } = await client.query(statement);
  await client.end();
  return rowCount ?? 0;
}
