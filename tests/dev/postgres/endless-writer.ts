// Writes numbered batches into the database of a directory, and prints each number after its commit.
import { writeSync } from "node:fs";
import { openEmbeddedPostgres } from "../../../lib/self-hosted/embedded-stores/postgres.js";

const { backend } = await openEmbeddedPostgres({ directory: process.argv[2] ?? "" });
await backend.query({ text: "CREATE TABLE written (n int)", params: [] });
await backend.query({ text: "CREATE TABLE halves (n int)", params: [] });
const options = { isolationLevel: undefined, readOnly: false, deferrable: false };
for (let n = 1; ; n++) {
  const params = [String(n)];
  await backend.batch(
    [
      { text: "INSERT INTO written VALUES ($1)", params },
      { text: "INSERT INTO halves VALUES ($1)", params },
    ],
    options,
  );
  writeSync(1, `${n}\n`);
}
