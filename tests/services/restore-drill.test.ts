import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { BranchDatabases } from "../../dev/neon-api/branch-databases.js";
import { type NeonEndpoint, startNeonEndpoint } from "../../dev/neon-api/neon-endpoint.js";
import { serverBranches } from "../../dev/neon-api/server-branches.js";
import { sealAudit } from "../../lib/audit/seal.js";
import { advanceDrill } from "../../lib/backups/drill.js";
import { startDrill } from "../../lib/backups/start-drill.js";
import type { Context } from "../../lib/context.js";
import { aContext } from "../support/context.js";
import { setEnvironment } from "../support/environment.js";
import { healthy, neonEnvironment } from "../support/neon-api.js";
import { useStores } from "../support/stores.js";

const patient = 300_000;
const minuteMs = 60_000;
let databases: BranchDatabases | undefined;
let neon: NeonEndpoint;
/** A time that PostgreSQL has reached, with all of its data before it. */
let target = new Date();

// Before the stores, because hooks end in reverse order.
afterAll(() => neon.close(), patient);
const stores = useStores({
  async prepareDatabase() {
    databases = await serverBranches();
    const env = { ...process.env, DATABASE_URL: databases.live.uri };
    await promisify(execFile)(process.execPath, ["dev/run.mjs", "migrate", "up"], { env });
    return databases.live.uri;
  },
});

beforeAll(async () => {
  if (!databases) throw new Error("There is no server.");
  // A quarter of an hour later than here: the target of a drill is then the present.
  neon = await startNeonEndpoint(databases, { now: () => new Date(Date.now() + 15 * minuteMs) });
  await stores.sql("update schema_migrations set applied_at = now() - interval '1 day'");
  await stores.sql(
    `insert into users (id, name, created_at)
     select gen_random_uuid(), 'learner ' || n, now() - interval '2 hours' from generate_series(1, 1000) n`,
  );
  await stores.sql(
    `insert into audit_log (at, actor_kind, action, correlation_id)
     select now() - interval '1 hour', 'system', 'user.updated', 'c' from generate_series(1, 500)`,
  );
  await sealAudit(aContext(), performance.now() + 10_000);
  await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
}, patient);
beforeEach(async () => {
  await healthy(neon, stores);
  setEnvironment({
    ...neonEnvironment(neon),
    DATABASE_URL: databases?.live.uri ?? "",
  });
  await stores.sql("delete from backup_canaries where at > now() - interval '20 minutes'");
  const [row] = await stores.sql("select extract(epoch from clock_timestamp()) * 1000 as now");
  // Beyond the precision of the clock of JavaScript.
  target = new Date(Math.ceil(Number(row?.now)) + 1);
  await stores.sql("select pg_sleep(0.01)");
});

const inMinutes = (minutes: number): Context => ({
  ...aContext(),
  now: new Date(target.getTime() + (15 + minutes) * minuteMs),
});
const rowOf = async () =>
  (await stores.sql("select * from restore_drills order by started_at desc limit 1"))[0] ?? {};
const failedParts = async () =>
  (JSON.parse((await rowOf()).findings ?? "[]") as { part: string; passed: boolean }[])
    .filter(({ passed }) => !passed)
    .map(({ part }) => part);

async function copyClient(): Promise<pg.Client> {
  const [copy] = neon.copies();
  const client = new pg.Client({ connectionString: (await copy?.database)?.uri });
  await client.connect();
  return client;
}

/** `atStep` is called before each call. */
async function runDrill(atStep: (step: string, minute: number) => Promise<unknown>) {
  await startDrill(inMinutes(0));
  for (let minute = 1; minute < 40; minute += 1) {
    const { step, finished_at } = await rowOf();
    if (finished_at) return;
    await atStep(step ?? "", minute);
    await advanceDrill(inMinutes(minute));
    await Promise.all(neon.copies().map(({ database }) => database));
  }
}

/** As a process that dies before it has recorded the result of its step. */
function dying(ctx: Context): Context {
  const batch = () => Promise.reject(new Error("killed"));
  return { ...ctx, db: Object.assign(Object.create(ctx.db) as Context["db"], { batch }) };
}

describe("a restore drill over PostgreSQL", () => {
  it(
    "proves a copy of a past time, though it is killed at every step, and leaves no copy",
    async () => {
      const killed = new Set<string>();
      let copied = 0;
      await stores.sql("delete from users where name = 'learner 7'");
      await runDrill(async (step, minute) => {
        if (killed.has(step)) return;
        killed.add(step);
        await expect(advanceDrill(dying(inMinutes(minute)))).rejects.toThrow("killed");
        await Promise.all(neon.copies().map(({ database }) => database));
        await stores.sql("update restore_drills set held_until = now() where finished_at is null");
        if (step !== "prove_canary") return;
        const client = await copyClient();
        const { rows } = await client.query("select count(*) from users");
        copied = Number(rows[0]?.count);
        await client.end();
      });
      expect(await failedParts()).toEqual([]);
      expect(await rowOf()).toMatchObject({ succeeded: "t" });
      // The learner was deleted after the target time.
      expect(copied).toBe(1000);
      expect(killed.size).toBe(7);
      expect(neon.copies()).toEqual([]);
    },
    patient,
  );

  it(
    "detects a gap, a tampered audit row, a missing migration and a canary of the future",
    async () => {
      await runDrill(async (step) => {
        if (step !== "prove_canary") return;
        const client = await copyClient();
        await client.query("set session_replication_role = replica");
        await client.query("delete from users where name = 'learner 8'");
        await client.query("delete from users where name = 'learner 9'");
        await client.query("update audit_log set action = 'x' where id = 250");
        await client.query("delete from schema_migrations where name like '0017%'");
        await client.query("insert into backup_canaries (at) values (now() + interval '1 hour')");
        await client.end();
      });
      expect(await failedParts()).toEqual(["canary", "rows", "migrations", "audit"]);
      expect(neon.copies()).toEqual([]);
    },
    patient,
  );
});
