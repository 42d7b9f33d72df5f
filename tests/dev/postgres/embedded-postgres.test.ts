import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from "../../../lib/self-hosted/embedded-stores/postgres.js";
import { snapshot as snapshotOf } from "../../support/snapshots.js";

const statement = (text: string) => ({ text, params: [] });
const plain = { isolationLevel: undefined, readOnly: false, deferrable: false };
const rowsOf = async ({ backend }: EmbeddedPostgres, text: string) =>
  (await backend.query(statement(text))).rows;

let postgres: EmbeddedPostgres;
let snapshot: Blob;
beforeAll(async () => {
  snapshot = await snapshotOf("empty");
  postgres = await openEmbeddedPostgres({ snapshot });
});
afterAll(() => postgres.close());

describe("embedded Postgres in memory", () => {
  it("never runs a statement inside the batch of another caller", async () => {
    const { backend } = postgres;
    await backend.query(statement("CREATE TABLE counts (n int)"));
    await backend.query(statement("INSERT INTO counts VALUES (0)"));
    const increment = [statement("UPDATE counts SET n = n + 1"), statement("SELECT n FROM counts")];
    const failing = [statement("UPDATE counts SET n = -1000"), statement("SELECT 1 / 0")];
    const batches = Array.from({ length: 50 }, () => [
      backend.batch(increment, plain).then((results) => Number(results[1]?.rows[0]?.[0])),
      backend.query(statement("SELECT n FROM counts")).then(() => 0),
      backend.batch(failing, plain).catch(() => 0),
    ]);
    const seen = (await Promise.all(batches.flat())).filter((n) => n !== 0);
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  it("starts from a snapshot as an independent copy", async () => {
    await postgres.backend.query(statement("CREATE TABLE copied AS SELECT 1 AS id"));
    const copy = await openEmbeddedPostgres({ snapshot: await postgres.dump() });
    await copy.backend.query(statement("INSERT INTO copied VALUES (2)"));
    expect(await rowsOf(copy, "SELECT id FROM copied")).toEqual([["1"], ["2"]]);
    expect(await rowsOf(postgres, "SELECT id FROM copied")).toEqual([["1"]]);
    await copy.close();
  });

  it("does not run a statement that was aborted while it waited", async () => {
    const { backend } = postgres;
    await backend.query(statement("CREATE TABLE waited (n int)"));
    const busy = backend.query(statement("SELECT pg_sleep(0.2)"));
    const client = new AbortController();
    const waiting = backend.query(statement("INSERT INTO waited VALUES (1)"), client.signal);
    client.abort();
    await expect(waiting).rejects.toThrow();
    await busy;
    expect(await rowsOf(postgres, "SELECT * FROM waited")).toEqual([]);
  });
});

describe("embedded Postgres after a statement over the time limit", () => {
  const endless = statement("SELECT count(*) FROM generate_series(1, 1000000000000)");

  it("fails the statement, and reports that the data in memory is lost", async () => {
    const limited = await openEmbeddedPostgres({ snapshot, timeLimitMs: 300 });
    await expect(limited.backend.query(endless)).rejects.toMatchObject({ code: "57014" });
    await expect(limited.backend.query(statement("SELECT 1"))).rejects.toThrow(/lost/);
    await limited.close();
  });

  it("fails the statement, and continues with the data in its directory", async () => {
    const directory = await mkdtemp(join(tmpdir(), "embedded-postgres-"));
    const limited = await openEmbeddedPostgres({ directory, snapshot, timeLimitMs: 300 });
    await limited.backend.query(statement("CREATE TABLE kept AS SELECT 1 AS id"));
    await expect(limited.backend.query(endless)).rejects.toMatchObject({ code: "57014" });
    expect(await rowsOf(limited, "SELECT id FROM kept")).toEqual([["1"]]);
    await limited.close();
    await rm(directory, { recursive: true });
  });
});

describe("embedded Postgres in a directory", () => {
  it("keeps exactly the committed writes after a kill -9", async () => {
    const directory = await mkdtemp(join(tmpdir(), "embedded-postgres-"));
    await (await openEmbeddedPostgres({ directory, snapshot })).close();
    const acknowledged = await killWhileWriting(directory);
    const reopened = await openEmbeddedPostgres({ directory });
    const found = await rowsOf(reopened, "SELECT n FROM written ORDER BY n");
    // One more row is possible: committed, but not yet acknowledged.
    expect(acknowledged).toBeGreaterThan(0);
    expect([acknowledged, acknowledged + 1]).toContain(found.length);
    expect(found.at(-1)).toEqual([String(found.length)]);
    expect(await rowsOf(reopened, "SELECT count(*) FROM halves")).toEqual([[String(found.length)]]);
    await reopened.backend.query(statement("INSERT INTO written VALUES (0)"));
    await reopened.close();
    await rm(directory, { recursive: true });
  });
});

/** Returns the number of batches whose commit the writer has acknowledged. */
async function killWhileWriting(directory: string): Promise<number> {
  const writer = spawn(
    process.execPath,
    ["--import", "tsx", join(import.meta.dirname, "endless-writer.ts"), directory],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  writer.stdout.on("data", (chunk) => {
    output += chunk;
    if (output.split("\n").length > 50) writer.kill("SIGKILL");
  });
  await once(writer, "close");
  return output.trim().split("\n").length;
}
