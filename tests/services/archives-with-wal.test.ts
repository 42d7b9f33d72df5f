import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { giveToPostgres, type PostgresServer } from "../../dev/postgres-server.js";
import { recordErasures } from "../../lib/archives/erasures.js";
import { momentCopyFolder } from "../../lib/archives/moment-copy.js";
import { takeBaseBackup } from "../../lib/archives/take-base-backup.js";
import { takeDump } from "../../lib/archives/take-dump.js";
import { sealAudit } from "../../lib/audit/seal.js";
import { advanceDrill } from "../../lib/backups/drill.js";
import { startDrill } from "../../lib/backups/start-drill.js";
import type { Context } from "../../lib/context.js";
import { takeWhatIsDue } from "../../lib/self-hosted/backup/daily.js";
import { archiveBackupStore } from "../../lib/self-hosted/backup/drilled-archives.js";
import { createArchivingPostgres } from "../support/archiving-postgres.js";
import { backupKeys, contextOf, query, runBackup } from "../support/backups.js";
import { aContext } from "../support/context.js";
import { setEnvironment } from "../support/environment.js";
import { useStores } from "../support/stores.js";

let root: string;
let server: PostgresServer;
const said: string[] = [];
const patient = 120_000;

afterAll(async () => {
  await server?.remove();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});
const stores = useStores({
  async prepareDatabase() {
    root = mkdtempSync(join(tmpdir(), "moment-drill-"));
    server = await createArchivingPostgres(root, join(root, "wal"));
    // PostgreSQL archives into each of the folders too, so that several runs can ship at once.
    const script = join(process.cwd(), "lib/self-hosted/archive-wal.sh");
    writeFileSync(
      join(root, "archive.sh"),
      `for to in ${join(root, "wal")} $(ls -d ${join(root, "spool")}-* 2>/dev/null); do sh ${script} "$1" "$2" $to || exit; done`,
    );
    await query(server.url, `alter system set archive_command = 'sh ${root}/archive.sh "%p" "%f"'`);
    await query(server.url, "select pg_reload_conf()");
    const env = { ...process.env, DATABASE_URL: server.url };
    await promisify(execFile)(process.execPath, ["dev/run.mjs", "migrate", "up"], { env });
    return server.url;
  },
});
const backups = () => join(root, "backups");
/** The drill's TMPDIR. The server on a copy is not of this user. */
const scratch = () => join(root, "scratch");
const environment = () => ({
  BACKUP_URL: `file://${backups()}`,
  BACKUP_WAL_DIR: join(root, "wal"),
  DATABASE_URL: server.url,
});
const backup = async (...args: string[]) =>
  expect(await runBackup(args, environment())).toMatchObject({ status: 0, error: "" });
const users = (url: string) =>
  query(url, "select name from users where name like 'at %' order by 1");

beforeAll(async () => {
  mkdirSync(scratch(), { mode: 0o711 });
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
  await backup("take", "--base");
  const insert = (name: string) =>
    stores.sql(`insert into users (id, name) values (gen_random_uuid(), '${name}')`);
  await insert("at the moment");
  await stores.sql("select pg_sleep(0.01)");
  await stores.sql("insert into backup_canaries default values");
  await insert("at a later time");
  // The start of a base backup is known to the second.
  await stores.sql("select pg_sleep(1)");
  await backup("take");
  await backup("take", "--base");
}, patient);
beforeEach(async () => {
  setEnvironment({ BACKUP_URL: `file://${backups()}`, DATABASE_URL: server.url });
  await stores.sql("delete from restore_drills");
  said.splice(0);
});

function invocationOver(folder: string, walFolder = join(root, "wal")) {
  const { databaseUrl, ...context } = contextOf(folder, server.url);
  context.environment.TMPDIR = scratch();
  context.warn = (text) => void said.push(text);
  const settings = { databaseUrl, url: `file://${folder}`, keys: backupKeys, walFolder };
  const io = { out: () => {}, error: (line: string) => void said.push(line) };
  return { settings, context, io, rest: [], options: {}, migrations: "drizzle" };
}
const archives = (folder = backups()) => archiveBackupStore(invocationOver(folder), server.url);
const drillRow = async () => (await stores.sql("select * from restore_drills"))[0] ?? {};
const failures = async () =>
  (JSON.parse((await drillRow()).findings ?? "[]") as { passed: boolean }[]).filter(
    ({ passed }) => !passed,
  );
const copiesOf = async (folder: string) =>
  (await archives(folder).listCopies("restore-drill-")).map(({ name }) => name);
const databases = () =>
  query(server.url, "select datname from pg_database where datname like 'restore-drill-%'");
const servers = () =>
  promisify(execFile)("pgrep", ["-f", scratch()]).then(
    ({ stdout }) => stdout,
    () => "",
  );

/** `atStep` is called before each call. */
async function runDrill(atStep: (step: string) => Promise<unknown> = async () => {}) {
  await startDrill(aContext());
  for (let calls = 0; calls < 30; calls += 1) {
    const { step, finished_at } = await drillRow();
    if (finished_at) return;
    await atStep(step ?? "");
    await advanceDrill(aContext(), archives());
  }
}

/** As a process that dies before it has recorded the result of its step. */
function dying(ctx: Context): Context {
  const batch = () => Promise.reject(new Error("killed"));
  return { ...ctx, db: Object.assign(Object.create(ctx.db) as Context["db"], { batch }) };
}

describe("a restore drill over base backups and WAL", { timeout: patient }, () => {
  it("proves a moment between two base backups on a server of its own, and removes it", async () => {
    let found: unknown;
    await runDrill(async (step) => {
      if (step !== "prove_canary") return;
      const { copy_id } = await drillRow();
      expect(await databases()).toEqual([]);
      found = await users(await archives().connectionUri(String(copy_id)));
    });
    expect(await failures()).toEqual([]);
    expect(found).toEqual([{ name: "at the moment" }]);
    const row = await drillRow();
    expect(row).toMatchObject({ succeeded: "t" });
    expect([row.proven_at, row.rpo_seconds].every(Boolean)).toBe(true);
    expect([readdirSync(scratch()), await databases(), await servers()]).toEqual([[], [], ""]);
  });

  it("is finished by the next process when one is killed in every step, and leaves only what another installation has in the same TMPDIR", async () => {
    const earlier = `restore-drill-${randomUUID()}`;
    const folderOf = (name: string, store = backups()) =>
      momentCopyFolder(invocationOver(store).context, name);
    const another = join(root, "another");
    const theirs = folderOf(earlier, another);
    for (const path of [folderOf(earlier), theirs]) mkdirSync(path);
    for (const store of [backups(), another]) expect(await copiesOf(store)).toEqual([earlier]);
    const killed = new Set<string>();
    await runDrill(async (step) => {
      if (killed.has(step)) return;
      killed.add(step);
      if (step === "create") {
        const { copy_name } = await drillRow();
        const copy = basename(folderOf(String(copy_name)));
        const half = join(scratch(), `.${copy}.unfinished-0a1b2c3d`);
        mkdirSync(half);
        writeFileSync(join(half, "PG_VERSION"), "15");
      }
      await expect(advanceDrill(dying(aContext()), archives())).rejects.toThrow("killed");
      await stores.sql("update restore_drills set held_until = now() where finished_at is null");
    });
    expect(await failures()).toEqual([]);
    expect(killed.size).toBe(8);
    const row = await drillRow();
    expect(row).toMatchObject({ succeeded: "t" });
    expect(row.leftovers).toContain(earlier);
    expect(said).toEqual([expect.stringContaining("which an interrupted restore had left")]);
    expect(readdirSync(scratch())).toEqual([basename(theirs)]);
    rmSync(theirs, { recursive: true });
    expect([await databases(), await servers()]).toEqual([[], ""]);
  });
});

describe("the daily backup", { timeout: patient }, () => {
  /** What `backup run` does each hour. `onChange` is called after each change of the store. */
  async function run(folder: string, wal: string, onChange = async () => {}) {
    const invocation = invocationOver(folder, wal);
    const { store } = invocation.context;
    const changing =
      <Args extends unknown[], Result>(act: (...args: Args) => Promise<Result>) =>
      async (...args: Args) => {
        const result = await act(...args);
        await onChange();
        return result;
      };
    Object.assign(store, { put: changing(store.put), remove: changing(store.remove) });
    const context = { ...invocation.context, databaseUrl: server.url };
    await recordErasures(context);
    await takeWhatIsDue(invocation, {
      takeDump: () => takeDump(context),
      takeBase: () => takeBaseBackup(context, wal),
    });
  }

  it("is finished by the next run when it is killed after any change of the store", async () => {
    const whole = join(root, "whole");
    const wholeSpool = join(root, "spool-whole");
    mkdirSync(wholeSpool);
    await giveToPostgres(wholeSpool);
    /** What a process that is killed right then leaves. */
    const killed: { folder: string; wal: string }[] = [];
    await run(whole, wholeSpool, async () => {
      const folder = join(root, `killed-${killed.length}`);
      const copied = join(root, `copied-${killed.length}`);
      const wal = join(root, `spool-${killed.length}`);
      for (const [from, to] of [
        [whole, folder],
        [wholeSpool, copied],
      ] as const) {
        cpSync(from, to, { recursive: true, preserveTimestamps: true });
      }
      await giveToPostgres(copied);
      // From now on PostgreSQL archives into it.
      renameSync(copied, wal);
      killed.push({ folder, wal });
    });
    // The erasures, two archives with their manifests, and WAL.
    expect(killed.length).toBeGreaterThan(5);
    const finish = async ({ folder, wal }: { folder: string; wal: string }) => {
      await run(folder, wal);
      const env = { ...environment(), BACKUP_URL: `file://${folder}`, BACKUP_WAL_DIR: wal };
      expect(await runBackup(["check"], env)).toMatchObject({ status: 0, error: "" });
      const tomorrow = { now: () => new Date(Date.now() + 2 * 86_400_000) };
      await runBackup(["prune"], env, tomorrow);
      const { out, error } = await runBackup(["list"], env);
      expect({ kinds: out.match(/^\w+/gm), error }).toEqual({ kinds: ["dump", "base"], error: "" });
    };
    // At once, because a base backup waits a second for its WAL.
    await Promise.all(killed.map(finish));
  });
});
