import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { sealAudit } from "../../lib/audit/seal.js";
import { checkBackups, watchBackupProcess } from "../../lib/backups/check.js";
import { advanceDrill } from "../../lib/backups/drill.js";
import { startDrill } from "../../lib/backups/start-drill.js";
import {
  archiveBackupStore,
  drilledArchives,
} from "../../lib/self-hosted/backup/drilled-archives.js";
import { backupKeys, contextOf, query, runBackup } from "../support/backups.js";
import { aContext } from "../support/context.js";
import { setEnvironment } from "../support/environment.js";
import { createDatabase } from "../support/real-stores.js";
import { useStores } from "../support/stores.js";

let database: Awaited<ReturnType<typeof createDatabase>>;
let folder: string;
const said: string[] = [];

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});
const stores = useStores({
  async prepareDatabase() {
    database = await createDatabase(inject("migrated"));
    return database.url;
  },
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hosted-drill-"));
  await stores.sql("update schema_migrations set applied_at = now() - interval '1 day'");
  await stores.sql(
    `insert into users (id, name, created_at)
     select gen_random_uuid(), 'learner ' || n, now() - interval '2 hours' from generate_series(1, 100) n`,
  );
  await stores.sql(
    `insert into audit_log (at, actor_kind, action, correlation_id)
     select now() - interval '1 hour', 'system', 'user.updated', 'c' from generate_series(1, 50)`,
  );
  await sealAudit(aContext(), performance.now() + 10_000);
  await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
  const env = { BACKUP_URL: `file://${folder}`, DATABASE_URL: database.url };
  expect(await runBackup(["take"], env)).toMatchObject({ status: 0, error: "" });
}, 120_000);
beforeEach(async () => {
  setEnvironment({ BACKUP_URL: `file://${folder}`, DATABASE_URL: database.url });
  await stores.sql("delete from restore_drills");
});

/** What `backup run` calls. */
const ofProcess = () => drilledArchives(invocationTo(database.url), database.url);
function invocationTo(url: string) {
  const { databaseUrl, ...context } = contextOf(folder, url);
  const settings = {
    databaseUrl,
    url: `file://${folder}`,
    keys: backupKeys,
    walFolder: undefined,
  };
  const io = { out: () => {}, error: (line: string) => void said.push(line) };
  return { settings, context, io, rest: [], options: {}, migrations: "drizzle" };
}
const drillRow = async () => (await stores.sql("select * from restore_drills"))[0] ?? {};
const copies = () =>
  query(database.url, "select datname from pg_database where datname like 'restore-drill-%'");
async function runDrill() {
  for (let steps = 0; steps < 20 && (await ofProcess().advanceDrill()); steps += 1);
}
const failed = ({ findings }: { findings: { check: string; passed: boolean }[] }) =>
  findings.filter(({ passed }) => !passed).map(({ check }) => check);
const failedParts = async () =>
  (JSON.parse((await drillRow()).findings ?? "[]") as { part: string; passed: boolean }[])
    .filter(({ passed }) => !passed)
    .map(({ part }) => part);

describe("a restore drill over archives", { timeout: 120_000 }, () => {
  it("is requested by the server, and proven by the backup process on the newest dump", async () => {
    expect(await startDrill(aContext())).toMatchObject({ started: true });
    expect(await advanceDrill(aContext())).toBeNull();
    expect(await drillRow()).toMatchObject({ step: "plan" });
    await runDrill();
    expect(await failedParts()).toEqual([]);
    const row = await drillRow();
    expect(row).toMatchObject({ succeeded: "t" });
    expect([row.proven_at, row.rpo_seconds].every(Boolean)).toBe(true);
    expect(await copies()).toEqual([]);
  });

  it("says which command to type when the newest dump is older than every canary, and fails after hours", async () => {
    const canaries = await stores.sql("delete from backup_canaries returning id, at::text");
    await startDrill(aContext());
    await runDrill();
    const text = /^no canary .* `npm run backup -- take`/;
    expect(await drillRow()).toMatchObject({
      step: "plan",
      last_error: expect.stringMatching(text),
    });
    // So that a new dump has one.
    expect(await stores.sql("select 1 from backup_canaries")).toHaveLength(1);
    await runDrill();
    expect(await stores.sql("select 1 from backup_canaries")).toHaveLength(1);
    await stores.sql("update restore_drills set step_started_at = now() - interval '4 hours'");
    await runDrill();
    const row = await drillRow();
    expect(row).toMatchObject({ succeeded: "f", finished_at: expect.any(String) });
    expect(JSON.parse(row.findings ?? "")).toEqual([
      { part: "create", passed: false, detail: expect.stringMatching(text) },
    ]);
    await stores.sql("delete from backup_canaries");
    for (const { id, at } of canaries) {
      const insert = "insert into backup_canaries (id, at) values ($1::uuid, $2::timestamptz)";
      await stores.sql(insert, id ?? "", at ?? "");
    }
  });

  it("ends as failed when no backup process takes it for hours", async () => {
    await startDrill(aContext());
    expect(await advanceDrill(aContext())).toBeNull();
    expect((await drillRow()).finished_at).toBeNull();
    await stores.sql("update restore_drills set step_started_at = now() - interval '4 hours'");
    expect(await advanceDrill(aContext())).toEqual({ step: "plan" });
    const row = await drillRow();
    expect(row).toMatchObject({ succeeded: "f", finished_at: expect.any(String) });
    expect(row.findings).toContain("`npm run backup -- run`");
    expect(await startDrill(aContext())).toMatchObject({ started: true });
  });

  it("counts its recovery time from the creation of the copy, without the wait before it", async () => {
    await startDrill(aContext());
    await stores.sql("update restore_drills set started_at = now() - interval '2 hours'");
    await runDrill();
    const [times] = await stores.sql(
      "select extract(epoch from proven_at - started_at)::int as rto from restore_drills",
    );
    expect(Number(times?.rto)).toBeLessThan(600);
    expect(await drillRow()).toMatchObject({ succeeded: "t" });
  });

  it("removes and names what a killed drill has left", async () => {
    const left = `restore-drill-${randomUUID()}-filling`;
    await query(database.url, `create database "${left}"`);
    await query(
      database.url,
      `comment on database "${left}" is 'Unfinished restore of a backup of linguamate'`,
    );
    await startDrill(aContext());
    await runDrill();
    expect(await drillRow()).toMatchObject({ succeeded: "t" });
    expect((await drillRow()).leftovers).toContain(left);
    expect(await copies()).toEqual([]);
  });

  it("says that the role may not make a database", async () => {
    const role = `plain_${process.pid}`;
    await query(database.url, `create role ${role}`);
    const url = `${database.url}${database.url.includes("?") ? "&" : "?"}options=-c%20role%3D${role}`;
    const store = archiveBackupStore(invocationTo(url), url);
    const [dump] = await store.listSnapshots();
    const at = new Date((dump?.at.getTime() ?? 0) + 1);
    const copy = { name: `restore-drill-${randomUUID()}`, at, expiresAt: at };
    await expect(store.createCopy(copy)).rejects.toMatchObject({
      name: "BackupStoreError",
      message: expect.stringMatching(/permission denied to create database.*CREATEDB/),
    });
    await query(database.url, `drop role ${role}`);
  });

  it("fails for a backup that lacks rows of the live database", async () => {
    await stores.sql(
      "insert into users (id, name, created_at) values (gen_random_uuid(), 'late', now() - interval '2 hours')",
    );
    await startDrill(aContext());
    await runDrill();
    await stores.sql("delete from users where name = 'late'");
    expect(await failedParts()).toEqual(["rows"]);
    expect(await copies()).toEqual([]);
  });
});

describe("the check of the archives", { timeout: 120_000 }, () => {
  it("is made by the backup process, reported by the server, and fails there when it stops", async () => {
    await stores.sql("delete from telemetry_gauges");
    expect(failed(await checkBackups(aContext()))).toEqual(["recent_check"]);
    await startDrill(aContext());
    await runDrill();
    said.splice(0);
    await ofProcess().check();
    expect(said).toEqual([]);
    const report = await checkBackups(aContext());
    expect(failed(report)).toEqual([]);
    expect(report.findings.map(({ check }) => check)).toContain("newest_snapshot");
    // Without BACKUP_WAL_DIR no moment can be restored.
    expect(report.findings.map(({ check }) => check)).not.toContain("pitr_window");
    const details = Object.fromEntries(report.findings.map(({ check, detail }) => [check, detail]));
    expect(details.recent_check).toMatch(/last checked at \d{4}-\d\d-\d\dT\S+Z, 0 h ago/);
    expect(details.newest_snapshot).toMatch(/^the newest is of \d{4}-\S+Z; passed in the last/);
    const later = { ...aContext(), now: new Date(Date.now() + 27 * 3_600_000) };
    await watchBackupProcess(later);
    const [gauge] = await stores.sql(
      `select value from telemetry_gauges where series = 'backup_unsafe{check="recent_check"}'`,
    );
    expect(Number(gauge?.value)).toBe(1);
    expect(failed(await checkBackups(later))).toEqual(["recent_check"]);
  });

  it("says what is wrong in its own words", async () => {
    const broken = join(folder, "dump", "broken.json");
    writeFileSync(broken, "{");
    said.splice(0);
    await ofProcess().check();
    rmSync(broken);
    expect(said).toContain(
      "Failed check: branch_ready: dump/broken.json is not a manifest of a backup.",
    );
  });
});
