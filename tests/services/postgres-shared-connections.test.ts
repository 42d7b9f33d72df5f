import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { postgresPool } from "../../lib/platform/postgres-transport/pool.js";
import { createRealDatabase } from "../dev/postgres/real-database.js";
import { times } from "../support/two-processes.js";

const serverUrl = process.env.TEST_DATABASE_URL ?? "";
const divide = "SELECT pg_backend_pid(), 60 / $1::int";
const count = "SELECT pg_backend_pid(), nextval('calls'), pg_sleep($1::float)";

describe("Prepared reads that start in one turn of the event loop", () => {
  let database: Awaited<ReturnType<typeof createRealDatabase>>;
  let admin: pg.Client;
  let pool: ReturnType<typeof postgresPool>;

  beforeAll(async () => {
    database = await createRealDatabase(serverUrl);
    admin = new pg.Client({ connectionString: database.connectionString });
    await admin.connect();
    await admin.query("CREATE TABLE notes (id int); INSERT INTO notes VALUES (1)");
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });
  beforeEach(async () => {
    pool = postgresPool(database.connectionString, { deadlineMs: 2000 });
    await admin.query("DROP SEQUENCE IF EXISTS calls; CREATE SEQUENCE calls");
  });
  afterEach(() => pool.close());

  async function read(text: string, n?: number, signal?: AbortSignal): Promise<(string | null)[]> {
    const params = n === undefined ? [] : [`${n}`];
    return (await pool.query({ text, params }, signal)).rows[0] ?? [];
  }
  /** A new pool opens a connection for each of these, up to four. */
  const prepareOn = (connections: number, text: string, n?: number) =>
    Promise.all(times(connections, () => read(text, n)));
  /** How many were read on each connection. */
  function perConnection(rows: (string | null)[][]): number[] {
    const pids = rows.map(([pid]) => pid);
    return [...new Set(pids)].map((pid) => pids.filter((other) => other === pid).length);
  }
  const outcome = (answer: Promise<unknown>) =>
    answer.then(
      () => "answered",
      (error: Error) => error.name,
    );
  const started = async () =>
    (await admin.query("SELECT last_value::int AS n, is_called FROM calls")).rows[0];
  const running = async () => {
    const { rows } = await admin.query(
      "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query = $1",
      [count],
    );
    return rows.map(({ pid }) => pid);
  };

  it("share connections, four on each at most", async () => {
    await prepareOn(3, divide, 1);
    expect(perConnection(await Promise.all(times(4, () => read(divide, 1))))).toEqual([4]);
    expect(perConnection(await Promise.all(times(12, () => read(divide, 1))))).toEqual([4, 4, 4]);
  });

  it("have a result or an error of their own", async () => {
    await prepareOn(1, divide, 1);
    const answers = [1, 0, 2, 3].map((n) =>
      read(divide, n).then(
        ([, quotient]) => quotient,
        (error) => error.code,
      ),
    );
    expect(await Promise.all(answers)).toEqual(["60", "22012", "30", "20"]);
    expect(await read(divide, 4)).toEqual([expect.anything(), "15"]);
  });

  it.each([
    ["another text", divide, `${divide} AS other`],
    ["a row lock", "SELECT pg_backend_pid() FROM notes FOR UPDATE"],
    ["a write", "INSERT INTO notes VALUES (2) RETURNING pg_backend_pid()"],
  ])("do not share a connection with %s", async (_what, text, other = text) => {
    const n = text === divide ? 1 : undefined;
    await prepareOn(2, text, n);
    await prepareOn(2, other, n);
    expect(perConnection(await Promise.all([read(text, n), read(other, n)]))).toEqual([1, 1]);
  });

  it("do not share a connection where they are not prepared", async () => {
    await prepareOn(1, divide, 1);
    const answers = await Promise.all(times(3, () => read(count, 0.05)));
    expect(perConnection(answers)).toEqual([1, 1, 1]);
  });

  it("do not wait for a statement of an earlier turn", async () => {
    await prepareOn(2, count, 0);
    const slow = read(count, 0.5);
    await sleep(50);
    const startedAt = performance.now();
    await Promise.all(times(4, () => read(count, 0)));
    expect(performance.now() - startedAt).toBeLessThan(300);
    await slow;
  });

  it("answer the others when one is aborted", async () => {
    const [[pid]] = (await prepareOn(1, count, 0)) as [string[]];
    const caller = new AbortController();
    const aborted = outcome(read(count, 0.3, caller.signal));
    const others = times(2, () => read(count, 0));
    const last = outcome(read(count, 0.3, caller.signal));
    await sleep(100);
    caller.abort();
    expect(await aborted).toBe("AbortError");
    expect(await last).toBe("AbortError");
    expect((await Promise.all(others)).map(([used]) => used)).toEqual([pid, pid]);
    // The last one was still running, without a caller.
    await expect.poll(running).toEqual([]);
    expect((await read(divide, 1))[0]).not.toBe(pid);
  });

  it("keep the connection when an aborted one was answered before the others", async () => {
    const [[pid]] = (await prepareOn(1, count, 0)) as [string[]];
    const caller = new AbortController();
    const aborted = outcome(read(count, 0.2, caller.signal));
    const other = read(count, 0.2);
    await sleep(50);
    caller.abort();
    expect(await aborted).toBe("AbortError");
    expect((await other)[0]).toBe(pid);
    expect((await read(divide, 1))[0]).toBe(pid);
  });

  it("are cancelled on the server when all have passed their deadline", async () => {
    const [[pid]] = (await prepareOn(1, count, 0)) as [string[]];
    const late = times(3, () => outcome(read(count, 60)));
    expect(new Set(await Promise.all(late))).toEqual(new Set(["TimeoutError"]));
    await expect.poll(running).toEqual([]);
    expect((await read(divide, 1))[0]).not.toBe(pid);
  });

  it("all reject when the connection breaks, and none is run again", async () => {
    const [[pid]] = (await prepareOn(1, count, 0)) as [string[]];
    const answers = [read(count, 0), ...times(3, () => read(count, 60))].map(outcome);
    await expect.poll(running).toEqual([Number(pid)]);
    await expect.poll(async () => (await started()).n).toBe(3);
    await admin.query("SELECT pg_terminate_backend($1)", [pid]);
    expect(await Promise.all(answers)).toEqual(["answered", "Error", "Error", "Error"]);
    await sleep(100);
    expect((await started()).n).toBe(3);
    expect(await read(divide, 1)).toEqual([expect.anything(), "60"]);
  });

  it("are all rejected at once when the pool closes while they wait for a connection", async () => {
    const single = postgresPool(database.connectionString, { connectionsMax: 1 });
    const ask = (n: number) => single.query({ text: divide, params: [`${n}`] });
    await ask(1);
    const busy = single.query({ text: "SELECT pg_sleep(0.2)", params: [] });
    await sleep(50);
    const closed = single.close();
    const answers = await Promise.all([1, 2, 3].map((n) => outcome(ask(n))));
    expect(answers).toEqual(["Error", "Error", "Error"]);
    await busy;
    await closed;
  });

  it("are answered after a migration changed their columns", async () => {
    await admin.query("CREATE TABLE words (id int); INSERT INTO words VALUES (7)");
    await prepareOn(1, "SELECT * FROM words");
    await admin.query("ALTER TABLE words ADD COLUMN word text DEFAULT 'new'");
    const rows = await Promise.all(times(4, () => read("SELECT * FROM words")));
    expect(rows).toEqual(times(4, () => ["7", "new"]));
  });
});
