import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dropOldDays } from "../../lib/schedule/retention/access-log-days.js";
import { aContext } from "../support/context.js";
import { useEnvironment } from "../support/environment.js";
import { useStores } from "../support/stores.js";
import { times } from "../support/two-processes.js";

const stores = useStores();
useEnvironment();

const clients: pg.Client[] = [];
let connect: () => Promise<pg.Client>;
beforeAll(async () => {
  const [row] = await stores.sql("select current_database() as name");
  const url = Object.assign(new URL(process.env.TEST_DATABASE_URL ?? ""), { pathname: row?.name });
  connect = async () => {
    const client = new pg.Client({ connectionString: url.href });
    client.on("error", () => {});
    await client.connect();
    clients.push(client);
    return client;
  };
});
afterAll(() => Promise.all(clients.map((client) => client.end())));

async function anOldDay(day: string): Promise<string> {
  const name = `access_log_${day.replaceAll("-", "")}`;
  await stores.sql(`create table ${name} (like access_log including defaults)`);
  await stores.sql(
    `alter table access_log attach partition ${name}
     for values from ('${day} 00:00:00+00') to ('${day} 23:59:59.999999+00')`,
  );
  await stores.sql(
    `insert into access_log (inserted_at, at, count, one_in, route, method, status, duration_ms, release)
     select '${day} 01:00:00+00', now(), 1, 1, '/', 'GET', 200, 1, 'x' from generate_series(1, 500)`,
  );
  await stores.sql(`analyze ${name}`);
  return name;
}
const exists = async (name: string) =>
  (await stores.sql("select to_regclass($1) as found", name))[0]?.found !== null;
const drop = () => dropOldDays(aContext(), performance.now() + 60_000);
const reported = async () =>
  Number(
    (
      await stores.sql(
        "select coalesce(sum(rows), 0) as rows from retention_removals where class = 'access_log'",
      )
    )[0]?.rows,
  );

describe("a day of the access log past its age", () => {
  it("stays while a transaction reads the log, and no request waits for it", async () => {
    const name = await anOldDay("2024-01-01");
    const [reader, writer] = [await connect(), await connect()];
    await reader.query("begin");
    await reader.query("select count(*) from access_log");
    // Shorter than the drop waits: behind a drop that waits for the log, a row would be refused.
    await writer.query("set lock_timeout = '50ms'");
    let isOver = false;
    let written = 0;
    const writing = (async () => {
      while (!isOver) {
        await writer.query(
          `insert into access_log (at, count, one_in, route, method, status, duration_ms, release)
           values (now(), 1, 1, '/', 'GET', 200, 1, 'x')`,
        );
        written += 1;
        await sleep(1);
      }
    })();
    expect(await drop()).toEqual({ dropped: 0, postponed: true });
    isOver = true;
    await writing;
    expect(written).toBeGreaterThan(0);
    expect(await exists(name)).toBe(true);
    await reader.query("commit");
    expect(await drop()).toEqual({ dropped: 1, postponed: false });
    expect(await exists(name)).toBe(false);
  }, 60_000);

  it("is dropped and reported once by parallel runs", async () => {
    const before = await reported();
    for (const day of ["2024-02-01", "2024-02-02", "2024-02-03"]) await anOldDay(day);
    const runs = await Promise.all(times(4, drop));
    while ((await drop()).dropped > 0);
    expect(runs.reduce((sum, { dropped }) => sum + dropped, 0)).toBeLessThanOrEqual(3);
    expect((await reported()) - before).toBe(1500);
  }, 60_000);

  it("is whole or gone after its connection was killed", async () => {
    const before = await reported();
    const name = await anOldDay("2024-03-01");
    const killed = await connect();
    await killed.query("begin");
    await killed.query(
      "select * from drop_access_log_partition(now() - interval '365 days', 'killed')",
    );
    const [{ pid }] = (await killed.query("select pg_backend_pid() as pid")).rows;
    await stores.sql("select pg_terminate_backend($1::int)", String(pid));
    await expect.poll(() => drop()).toMatchObject({ dropped: 1 });
    expect(await exists(name)).toBe(false);
    expect((await reported()) - before).toBe(500);
  }, 60_000);

  it("cannot be removed while Postgres is read-only, and is removed afterwards", async () => {
    const name = await anOldDay("2024-04-01");
    const readOnly = await connect();
    await readOnly.query("begin read only");
    await expect(
      readOnly.query("select * from drop_access_log_partition(now() - interval '365 days', 'x')"),
    ).rejects.toMatchObject({ code: "25006" });
    await readOnly.query("rollback");
    expect(await exists(name)).toBe(true);
    await drop();
    expect(await exists(name)).toBe(false);
  });
});
