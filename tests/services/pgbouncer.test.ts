import { setTimeout as sleep } from "node:timers/promises";
import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresOverSocket } from "../../lib/platform/postgres-transport/over-socket.js";
import { asSession, runPrepared } from "../../lib/platform/postgres-transport/session.js";
import { createRealDatabase } from "../dev/postgres/real-database.js";
import { type PgBouncer, startPgBouncer } from "../support/pgbouncer.js";
import { times } from "../support/two-processes.js";

const serverUrl = process.env.TEST_DATABASE_URL ?? "";

describe.each(["transaction", "session"] as const)(
  "Postgres behind PgBouncer, pool_mode %s",
  (mode) => {
    let database: Awaited<ReturnType<typeof createRealDatabase>>;
    let pooler: PgBouncer;
    let url: string;
    let transports: ReturnType<typeof postgresOverSocket>[];
    let sql: NeonQueryFunction<false, false>;

    beforeAll(async () => {
      database = await createRealDatabase(serverUrl);
      pooler = await startPgBouncer(serverUrl, mode);
      url = pooler.through(database.connectionString);
      transports = times(2, () => postgresOverSocket(url, { deadlineMs: 2000 }));
      let turn = 0;
      // Like two instances of the server, which share the connections of the pooler.
      neonConfig.fetchFunction = (...call: Parameters<(typeof transports)[0]["fetch"]>) =>
        transports[turn++ % 2]?.fetch(...call);
      sql = neon("postgresql://user:password@localhost/database");
      await sql`CREATE TABLE notes (id serial PRIMARY KEY, text text)`;
    });
    afterAll(async () => {
      await Promise.all(transports.map((transport) => transport.close()));
      await pooler.stop();
      await database.drop();
    });

    it("returns the rows of each statement, on any connection", async () => {
      for (const round of times(5, (i) => i)) {
        const answers = await Promise.all(
          times(60, async (i) => {
            const n = (i * 7 + round) % 23;
            const rows = await sql.query(`SELECT $1::int + ${n} AS "sum${n}"`, [i]);
            return [rows, [{ [`sum${n}`]: i + n }]];
          }),
        );
        for (const [rows, expected] of answers) expect(rows).toEqual(expected);
      }
    });

    it("runs each batch as one transaction", async () => {
      const write = (text: string) => sql`INSERT INTO notes (text) VALUES (${text})`;
      const fine = times(20, (i) => sql.transaction([write(`a${i}`), write(`b${i}`)]));
      const failing = times(20, (i) =>
        sql.transaction([write(`c${i}`), sql`SELECT 1 / 0`, write(`d${i}`)]).catch(() => "failed"),
      );
      await Promise.all(fine);
      expect(new Set(await Promise.all(failing))).toEqual(new Set(["failed"]));
      const rows = await sql`SELECT left(text, 1) AS kind, count(*)::int AS count FROM notes
      GROUP BY 1 ORDER BY 1`;
      expect(rows).toEqual([
        { kind: "a", count: 20 },
        { kind: "b", count: 20 },
      ]);
    });

    it("leaves no prepared statement on shared connections", async () => {
      await Promise.all(times(20, () => sql`SELECT 'shared' AS mark, pg_sleep(0.01)`));
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query(
        "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%shared%'",
      );
      await client.end();
      expect(rows).toEqual([]);
    });

    it("cancels a statement on the server after its deadline", async () => {
      const text = `SELECT pg_sleep(60) /* ${mode} */`;
      await expect(sql.query(text)).rejects.toMatchObject({
        sourceError: { name: "TimeoutError" },
      });
      const direct = new pg.Client({ connectionString: database.connectionString });
      await direct.connect();
      const running = async () =>
        (
          await direct.query(
            "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query = $1",
            [text],
          )
        ).rows[0].n;
      await expect.poll(running, { timeout: 5000 }).toBe(0);
      await direct.end();
    });
  },
);

/** Two sessions over one connection of the pooler, which neither has detected. */
describe("a session over an undetected pooler", () => {
  let database: Awaited<ReturnType<typeof createRealDatabase>>;
  let pooler: PgBouncer;
  let clients: pg.Client[];

  beforeAll(async () => {
    database = await createRealDatabase(serverUrl);
    pooler = await startPgBouncer(serverUrl, "transaction");
    const connectionString = pooler.through(database.connectionString);
    clients = times(2, () => new pg.Client({ connectionString }));
    await Promise.all(clients.map((client) => client.connect()));
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await pooler.stop();
    await database.drop();
  });

  const sessions = () =>
    clients.map((client) =>
      Object.assign(asSession(client as unknown as pg.PoolClient, 1), { isShared: false }),
    );
  const read = (n: number) => ({ text: `SELECT $1::int * ${n} AS product`, params: ["2"] });

  it("uses a statement that another client has prepared", async () => {
    const [first, second] = sessions();
    if (!first || !second) throw new Error("Two sessions are needed.");
    expect((await runPrepared(first, read(3))).rows).toEqual([["6"]]);
    expect((await runPrepared(second, read(3))).rows).toEqual([["6"]]);
    expect((await runPrepared(second, read(5))).rows).toEqual([["10"]]);
    expect((await runPrepared(first, read(5))).rows).toEqual([["10"]]);
  });

  it("runs a statement that is no longer prepared", async () => {
    const [first, second] = sessions();
    if (!first || !second) throw new Error("Two sessions are needed.");
    await runPrepared(first, read(7));
    await second.query("DEALLOCATE ALL");
    expect((await runPrepared(first, read(7))).rows).toEqual([["14"]]);
    await sleep(0);
    expect((await runPrepared(first, read(9))).rows).toEqual([["18"]]);
  });
});
