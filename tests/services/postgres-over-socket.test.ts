import { setTimeout as sleep } from "node:timers/promises";
import { neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { postgresOverSocket } from "../../lib/platform/postgres-transport/over-socket.js";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { cases, clientFor, schema } from "../dev/postgres/parity-cases.js";
import { createRealDatabase } from "../dev/postgres/real-database.js";
import { times } from "../support/two-processes.js";

const serverUrl = process.env.TEST_DATABASE_URL ?? "";

describe("Postgres over a socket", () => {
  let database: Awaited<ReturnType<typeof createRealDatabase>>;
  let transport: ReturnType<typeof postgresOverSocket>;
  let sql: ReturnType<typeof neon>;

  beforeAll(async () => {
    database = await createRealDatabase(serverUrl);
    transport = postgresOverSocket(database.connectionString, { deadlineMs: 2000 });
    neonConfig.fetchFunction = transport.fetch;
    sql = neon(database.connectionString);
  });
  afterAll(async () => {
    await transport.close();
    await database.drop();
  });
  beforeEach(async () => {
    await sql.transaction(
      ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public", ...schema].map((text) =>
        sql.query(text),
      ),
    );
  });

  it.each(cases)("$name", async ({ run, expected }) => {
    expect(await run(clientFor(database.connectionString))).toEqual(expected);
  });

  it("prepares a statement once, with any leading comment", async () => {
    const ask = (id: string) =>
      sql.query(`/*correlation_id=${id}*/ SELECT $1::int + 41 AS sum`, [1]);
    for (const id of ["one", "two", "three"]) expect(await ask(id)).toEqual([{ sum: 42 }]);
    const prepared = await sql`SELECT statement FROM pg_prepared_statements
      WHERE statement LIKE '%41 AS sum'`;
    expect(prepared).toEqual([{ statement: "SELECT $1::int + 41 AS sum" }]);
  });

  it("sends the comments of a batch to the server", async () => {
    const text = `/*correlation_id=batch-${Math.random()}*/ SELECT pg_sleep(0.5)`;
    const running = sql.transaction([sql.query(text)]);
    const seen = () => sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = ${text}`;
    await expect.poll(seen).toEqual([{ n: 1 }]);
    await running;
  });

  it("times out at the deadline and cancels the statement on the server", async () => {
    const mark = `/* ${Math.random()} */`;
    const startedAt = performance.now();
    await expect(sql.query(`SELECT pg_sleep(60) ${mark}`)).rejects.toMatchObject({
      sourceError: { name: "TimeoutError" },
    });
    expect(performance.now() - startedAt).toBeGreaterThan(1900);
    await untilNotRunning(`SELECT pg_sleep(60) ${mark}`);
  });

  it("includes the wait for a free connection in the deadline", async () => {
    const answers = Array.from({ length: 25 }, () =>
      sql`SELECT pg_sleep(60)`.then(
        () => "answered",
        (error) => error.sourceError.name,
      ),
    );
    const names = new Set(await Promise.all(answers));
    expect(names.has("answered")).toBe(false);
    expect(await sql`SELECT 1 AS one`).toEqual([{ one: 1 }]);
  });

  it("cancels a statement on the server when the caller aborts it", async () => {
    const text = `SELECT pg_sleep(60) /* ${Math.random()} */`;
    const caller = new AbortController();
    const answer = sql.query(text, [], { fetchOptions: { signal: caller.signal } });
    const outcome = answer.then(
      () => "answered",
      (error) => error.sourceError.name,
    );
    await sleep(100);
    caller.abort();
    expect(await outcome).toBe("AbortError");
    await untilNotRunning(text);
  });

  it("uses up to 20 connections and prepares each statement once on each", async () => {
    const read = () => sql`SELECT pg_backend_pid() AS pid, pg_sleep(0.01)`;
    const answers = (await Promise.all(Array.from({ length: 100 }, read))) as { pid: number }[][];
    const pids = new Set(answers.map(([row]) => row?.pid));
    expect(pids.size).toBeGreaterThan(1);
    expect(pids.size).toBeLessThanOrEqual(20);
    const [row] = (await sql`SELECT count(*)::int AS n FROM pg_prepared_statements
      WHERE statement LIKE 'SELECT pg_backend_pid() AS pid%'`) as { n: number }[];
    expect(row?.n).toBe(1);
  });

  it("limits the number of prepared statements, including failed ones", async () => {
    for (let i = 0; i < 300; i++) {
      await sql.query(`SELECT ${i}`);
      await sql.query(`SELECT ${i} / 0`).catch(() => {});
    }
    const [row] = (await sql`SELECT count(*)::int AS n FROM pg_prepared_statements`) as {
      n: number;
    }[];
    expect(row?.n).toBeLessThanOrEqual(258);
  });

  it("reconnects after its connections were closed", async () => {
    await Promise.all(Array.from({ length: 5 }, () => sql`SELECT pg_sleep(0.05)`));
    const cut = sql`SELECT pg_sleep(60)`.catch((error) => error.sourceError);
    await sleep(100);
    await onServer(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = '${new URL(database.connectionString).pathname.slice(1)}'`,
    );
    expect(await cut).toBeInstanceOf(Error);
    await sleep(100);
    const answers = await Promise.all(Array.from({ length: 30 }, () => sql`SELECT 1 AS one`));
    expect(answers).toEqual(Array(30).fill([{ one: 1 }]));
  });

  async function untilNotRunning(text: string): Promise<void> {
    const running = () =>
      sql`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = ${text}`;
    while (((await running()) as unknown[]).length > 0) await sleep(10);
  }
});

async function onServer(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(text);
  await client.end();
}

describe("Postgres over two connections", () => {
  it("gives each of many callers their own row while other statements fail", async () => {
    const database = await createRealDatabase(serverUrl);
    const pool = postgresPool(database.connectionString, { connectionsMax: 2 });
    const read = async (name: string) => {
      const { rows } = await pool.query({ text: "SELECT $1::text", params: [name] });
      return rows[0]?.[0];
    };
    const fail = () => pool.query({ text: "SELECT 1 / $1::int", params: ["0"] });
    for (let round = 0; round < 500; round++) {
      const failing = Promise.allSettled(times(4, fail));
      const names = times(8, (index) => `person ${round}-${index}`);
      expect(await Promise.all(names.map(read))).toEqual(names);
      await failing;
    }
    await pool.close();
    await database.drop();
  });
});

describe("a pool that is told to reconnect", () => {
  it("replaces idle connections at once, and one in use after its statement", async () => {
    const database = await createRealDatabase(serverUrl);
    const pool = postgresPool(database.connectionString, { connectionsMax: 5 });
    const pidOf = async (text: string) => {
      const { rows } = await pool.query({ text, params: [] });
      return rows[0]?.[0];
    };
    const read = "SELECT pg_backend_pid(), pg_sleep(0.1)";
    const before = new Set(await Promise.all(times(4, () => pidOf(read))));
    expect(before.size).toBe(4);
    const other = new pg.Client({ connectionString: database.connectionString });
    await other.connect();
    await other.query("BEGIN; SELECT pg_advisory_xact_lock(1)");
    const running = pidOf("SELECT pg_backend_pid(), pg_advisory_xact_lock(1)");
    const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    await expect.poll(async () => (await other.query(waiting)).rowCount).toBe(1);
    expect(await pool.reconnect()).toBe(4);
    await other.query("COMMIT");
    await other.end();
    const kept = await running;
    expect(before).toContain(kept);
    const after = await Promise.all(times(5, () => pidOf(read)));
    for (const pid of after) expect(before).not.toContain(pid);
    await pool.close();
    await database.drop();
  });

  it("rejects while the server is unreachable", async () => {
    const pool = postgresPool("postgresql://postgres@127.0.0.1:9/postgres");
    await expect(pool.reconnect()).rejects.toThrow("unreachable");
    await pool.close();
  });
});

describe("Postgres over one connection", () => {
  let database: Awaited<ReturnType<typeof createRealDatabase>>;
  beforeAll(async () => {
    database = await createRealDatabase(serverUrl);
  });
  afterAll(() => database.drop());

  it("never gives a caller the row of another after a failed COPY", async () => {
    const pool = postgresPool(database.connectionString, { connectionsMax: 1 });
    const read = (name: string) =>
      pool.query({ text: "SELECT $1::text", params: [name] }).then(
        ({ rows }) => rows[0]?.[0],
        () => "rejected",
      );
    await pool.query({ text: "CREATE VIEW one AS SELECT 1 AS a", params: [] });
    for (let round = 0; round < 100; round++) {
      const copying = pool.query({ text: "COPY one FROM STDIN", params: [] }).catch(() => {});
      const names = times(4, (index) => `person ${round}-${index}`);
      const answers = await Promise.all(names.map(read));
      const wrong = answers.filter((answer, i) => answer !== names[i] && answer !== "rejected");
      expect(wrong).toEqual([]);
      await copying;
    }
    await pool.close();
  });

  it("keeps a connection whose URL has a query_timeout", async () => {
    const url = new URL(database.connectionString);
    url.searchParams.set("query_timeout", "200");
    const pool = postgresPool(url.href, { connectionsMax: 1 });
    const ask = (text: string) => pool.query({ text, params: [] }).then(({ rows }) => rows[0]?.[0]);
    const pid = await ask("SELECT pg_backend_pid()");
    await sleep(300);
    expect(await ask("SELECT pg_backend_pid()")).toBe(pid);
    await expect(ask("SELECT pg_sleep(1)")).rejects.toThrow("Query read timeout");
    expect(await ask("SELECT 1")).toBe("1");
    await pool.close();
  });
});

describe("Postgres over a socket after a failover", () => {
  it("replaces its connections after the first read-only error", async () => {
    const database = await createRealDatabase(serverUrl);
    const name = new URL(database.connectionString).pathname.slice(1);
    const transport = postgresOverSocket(database.connectionString, { deadlineMs: 5000 });
    neonConfig.fetchFunction = transport.fetch;
    const sql = neon(database.connectionString);
    await sql`CREATE TABLE notes (id int)`;
    await sql`DROP TABLE notes`;
    await onServer(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await onServer(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
    );
    await sleep(100);
    // Twenty connections to the former primary.
    const open = () => sql`SELECT pg_sleep(0.1)`;
    await Promise.all(Array.from({ length: 20 }, open));
    await onServer(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await expect(sql`CREATE TABLE notes (id int)`).rejects.toMatchObject({ code: "25006" });
    await sql`CREATE TABLE notes (id int)`;
    const write = () => sql`INSERT INTO notes SELECT 1 FROM pg_sleep(0.05)`;
    await Promise.all(Array.from({ length: 20 }, write));
    expect(await sql`SELECT count(*)::int AS n FROM notes`).toEqual([{ n: 20 }]);
    await transport.close();
    await database.drop();
  });
});
