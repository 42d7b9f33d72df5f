import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { giveToPostgres, type PostgresServer, startPostgres } from "../../dev/postgres-server.js";
import { archiveCommand, createArchivingPostgres } from "../support/archiving-postgres.js";
import { backupKey, query, runBackup } from "../support/backups.js";

let root: string;
let server: PostgresServer;
let env: Record<string, string>;
let moment: string;
let firstMoment: string;
let leftMoment: string;
const wal = () => join(root, "wal");
const backups = () => join(root, "backups");

const until = (condition: () => Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 100_000, interval: 20 });
const insert = (fact: string) => query(server.url, `insert into facts values ('${fact}')`);
const clock = async (): Promise<string> => {
  const [row] = await query(server.url, "select clock_timestamp() as at");
  return new Date(row?.at as Date).toISOString();
};
/** The next commit is later by more than the milliseconds of a Date. */
const momentPasses = async () => {
  const at = await clock();
  await until(async () => Date.parse(await clock()) > Date.parse(at) + 2);
  return at;
};
const switchWal = async () => {
  const [row] = await query(server.url, "select pg_walfile_name(pg_switch_wal()) as name");
  await until(async () => {
    const [{ last } = {}] = await query(
      server.url,
      "select last_archived_wal as last from pg_stat_archiver",
    );
    return String(last) >= String(row?.name);
  });
  return String(row?.name);
};
const promoted = ({ url }: PostgresServer) =>
  until(async () => {
    const [row] = await query(url, "select pg_is_in_recovery() as recovering");
    return row?.recovering === false;
  });
const mark = async ({ url }: PostgresServer) => {
  const marked = await runBackup(["mark"], { ...env, DATABASE_URL: url });
  expect(marked).toMatchObject({ status: 0, error: "" });
  await until(async () => {
    const [row] = await query(url, "show default_transaction_read_only");
    return row?.default_transaction_read_only === "off";
  });
};
const restore = (at: string, into: string) =>
  runBackup(["restore", "--at", at, "--into", into], env);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hosted-moment-"));
  server = await createArchivingPostgres(root, wal());
  env = {
    BACKUP_URL: `file://${backups()}`,
    BACKUP_WAL_DIR: wal(),
    DATABASE_URL: server.url,
  };
  await query(server.url, "create table facts (fact text)");
  await insert("before both");
  firstMoment = await momentPasses();
  expect(await runBackup(["take", "--base"], env)).toMatchObject({ status: 0, error: "" });
  await insert("between, before the moment");
  await query(server.url, "insert into facts select 'many' from generate_series(1, 20000)");
  await query(server.url, "delete from facts where fact = 'many'");
  await switchWal();
  moment = await momentPasses();
  await momentPasses();
  await insert("between, after the moment");
  await query(server.url, "delete from facts where fact = 'before both'");
  expect(await runBackup(["take", "--base"], env)).toMatchObject({ status: 0, error: "" });
  await insert("after both");
  leftMoment = await momentPasses();
  await momentPasses();
  await insert("at the end");
  await switchWal();
  expect(await runBackup(["ship"], env)).toMatchObject({ status: 0, error: "" });
}, 300_000);
afterAll(async () => {
  await server?.remove();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

describe("backup restore --at", { timeout: 300_000 }, () => {
  it("gives exactly the rows of a moment between two base backups", async () => {
    expect(readdirSync(wal())).toEqual([]);
    const into = join(root, "restored");
    expect(await restore(moment, into)).toMatchObject({ status: 0, error: "" });
    const restored = await startPostgres(into);
    try {
      await promoted(restored);
      expect(await query(restored.url, "select fact from facts order by 1")).toEqual([
        { fact: "before both" },
        { fact: "between, before the moment" },
      ]);
      const write = "insert into facts values ('new') returning fact";
      await expect(query(restored.url, write)).rejects.toThrow("read-only transaction");
      await mark(restored);
      expect(
        await query(
          restored.url,
          "select restore_begun_at > restore_finished_at as closed from security_settings",
        ),
      ).toEqual([{ closed: true }]);
      expect(await query(restored.url, write)).toEqual([{ fact: "new" }]);
      expect(await query(restored.url, "show archive_command")).toEqual([{ archive_command: "" }]);
    } finally {
      await restored.remove();
    }
  });

  it("restores the restored server again, over its new timeline, on the same one, and on the one it left", async () => {
    const store = join(root, "twice");
    cpSync(backups(), store, { recursive: true, preserveTimestamps: true });
    const spool = join(root, "twice-wal");
    mkdirSync(spool);
    await giveToPostgres(spool);
    const again = { ...env, BACKUP_URL: `file://${store}`, BACKUP_WAL_DIR: spool };
    const restoreAgain = async (at: string, name: string) => {
      const into = join(root, name);
      const made = await runBackup(["restore", "--at", at, "--into", into], again);
      expect(made).toMatchObject({ status: 0, error: "" });
      const restored = await startPostgres(into);
      await promoted(restored);
      return restored;
    };
    const timeline = async ({ url }: PostgresServer) => {
      await query(url, "checkpoint");
      const [row] = await query(url, "select timeline_id from pg_control_checkpoint()");
      return row?.timeline_id;
    };
    const facts = async ({ url }: PostgresServer) =>
      (await query(url, "select fact from facts order by 1")).map(({ fact }) => fact);
    const before = ["before both", "between, before the moment"];
    const first = await restoreAgain(moment, "first");
    let second: string;
    let third: string;
    try {
      await mark(first);
      await query(first.url, `alter system set archive_command = '${archiveCommand(spool)}'`);
      await query(first.url, "select pg_reload_conf()");
      await query(first.url, "insert into facts values ('on the new timeline')");
      second = await momentPasses();
      await momentPasses();
      const take = async (fact: string) => {
        expect(
          await runBackup(["take", "--base"], { ...again, DATABASE_URL: first.url }),
        ).toMatchObject({ status: 0, error: "" });
        await query(first.url, `insert into facts values ('${fact}')`);
      };
      await take("x1");
      third = await momentPasses();
      await momentPasses();
      await take("x2");
      await take("x3");
      expect(await timeline(first)).toBe(2);
    } finally {
      await first.remove();
    }
    const over = await restoreAgain(second, "over");
    try {
      expect(await facts(over)).toEqual([...before, "on the new timeline"]);
      expect(await timeline(over)).toBe(3);
    } finally {
      await over.remove();
    }
    const [systemId = ""] = readdirSync(join(store, "wal"));
    rmSync(join(store, "wal", systemId, "00000002.history.age"));
    expect(
      await runBackup(["restore", "--at", second, "--into", join(root, "no-history")], again),
    ).toMatchObject({
      status: 3,
      error: expect.stringContaining("00000002.history.age is missing"),
    });
    const same = await restoreAgain(third, "same-timeline");
    try {
      expect(await facts(same)).toEqual([...before, "on the new timeline", "x1"]);
    } finally {
      await same.remove();
    }
    const back = await restoreAgain(leftMoment, "left-timeline");
    try {
      expect(await facts(back)).toContain("after both");
      expect(await facts(back)).not.toContain("at the end");
    } finally {
      await back.remove();
    }
  });

  it("removes what a killed restore has left, and says so", async () => {
    const into = join(root, "again");
    const left = join(root, ".again.unfinished-0a1b2c3d");
    mkdirSync(left);
    writeFileSync(join(left, "PG_VERSION"), "15");
    expect(await restore(moment, into)).toMatchObject({
      status: 0,
      error: `Warning: Removed ${left}, which an interrupted restore had left.`,
    });
    expect(existsSync(left)).toBe(false);
  });

  it("refuses a moment before the first base backup, in the future, or without a zone", async () => {
    const into = join(root, "none");
    expect(await restore(firstMoment, into)).toMatchObject({
      status: 3,
      error: expect.stringContaining("The oldest base backup ends at"),
    });
    expect(await restore("2999-01-01T00:00:00Z", into)).toMatchObject({ status: 3 });
    expect(await restore("2026-11-30T12:00:00", into)).toMatchObject({ status: 2 });
    expect(await runBackup(["restore", "--at", moment], env)).toMatchObject({ status: 2 });
    expect(existsSync(into)).toBe(false);
  });

  it("refuses a folder with files", async () => {
    const into = join(root, "occupied");
    mkdirSync(into);
    writeFileSync(join(into, "mine"), "");
    expect(await restore(moment, into)).toMatchObject({ status: 3 });
    expect(readdirSync(into)).toEqual(["mine"]);
  });

  it("refuses when WAL is missing or swapped, and leaves no folder", async () => {
    const into = join(root, "missing");
    const [systemId = ""] = readdirSync(join(backups(), "wal"));
    const stored = join(backups(), "wal", systemId);
    const segments = readdirSync(stored).filter((name) => /^[0-9A-F]{24}\.age$/.test(name));
    const [, second = "", third = ""] = segments;
    renameSync(join(stored, second), join(root, "kept"));
    expect(await restore(moment, into)).toMatchObject({
      status: 3,
      error: expect.stringContaining("WAL segments are missing"),
    });
    copyFileSync(join(stored, third), join(stored, second));
    expect(await restore(moment, into)).toMatchObject({
      status: 3,
      error: expect.stringContaining("is another WAL file"),
    });
    renameSync(join(root, "kept"), join(stored, second));
    expect(readdirSync(root).filter((name) => name.includes("missing"))).toEqual([]);
  });
});

describe("shipping WAL", { timeout: 120_000 }, () => {
  it("keeps every file while the store is down, and ships it afterwards", async () => {
    await insert("while the store is down");
    const name = await switchWal();
    const down = { ...env, BACKUP_URL: `file://${join(root, "data/PG_VERSION/not-a-folder")}` };
    expect(await runBackup(["ship"], down)).toMatchObject({ status: 1 });
    expect(readdirSync(wal())).toContain(name);
    await insert("the database goes on");
    const both = await Promise.all([runBackup(["ship"], env), runBackup(["ship"], env)]);
    expect(both).toMatchObject([{ status: 0 }, { status: 0 }]);
    expect(readdirSync(wal())).toEqual([]);
  });

  it("accepts a file that it has, and keeps one that differs", async () => {
    await insert("again");
    const name = await switchWal();
    cpSync(join(wal(), name), join(root, "same"));
    expect(await runBackup(["ship"], env)).toMatchObject({ status: 0 });
    cpSync(join(root, "same"), join(wal(), name));
    expect(await runBackup(["ship"], env)).toMatchObject({ status: 0 });
    expect(readdirSync(wal())).toEqual([]);
    const another = readFileSync(join(root, "same"));
    another.writeUInt8(another.readUInt8(another.length - 1) ^ 1, another.length - 1);
    writeFileSync(join(wal(), name), another);
    expect(await runBackup(["ship"], env)).toMatchObject({
      status: 1,
      error: expect.stringContaining("two servers write into one store"),
    });
    expect(readdirSync(wal())).toEqual([name]);
    rmSync(join(wal(), name));
  });

  it("goes on by itself, with a dump and a base backup at the start", async () => {
    const built = inject("builtProject");
    const store = { BACKUP_URL: `file://${join(root, "by-itself")}` };
    const running = spawn(
      process.execPath,
      [join(built, ".vercel/self-hosted/backup.mjs"), "run"],
      {
        cwd: built,
        env: { PATH: process.env.PATH, BACKUP_KEY: backupKey, ...env, ...store },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let said = "";
    running.stdout.on("data", (bytes) => {
      said += bytes;
    });
    await until(async () => /verified dump[\s\S]*verified base/.test(said));
    running.kill("SIGTERM");
    expect((await once(running, "close"))[0]).toBe(0);
    expect(await runBackup(["check"], { ...env, ...store })).toMatchObject({ status: 0 });
  });

  it("is reported when it stops, as is a failing archive_command", async () => {
    await runBackup(["take"], env);
    const check = (now?: Date) => runBackup(["check"], env, now ? { now: () => now } : {});
    expect(await check()).toMatchObject({ status: 0 });
    const later = new Date(Date.now() + 27 * 3_600_000);
    expect((await check(later)).error).toMatch(/kind dump[\s\S]*kind base/);
    const earlier = await check(new Date(Date.now() - 3_600_000));
    expect(earlier).toMatchObject({ status: 1, error: expect.stringContaining("in the future") });
    const [systemId = ""] = readdirSync(join(backups(), "wal"));
    const stored = join(backups(), "wal", systemId);
    expect(await runBackup(["take", "--base"], env)).toMatchObject({ status: 0 });
    await insert("after the newest base backup");
    const gap = `${await switchWal()}.age`;
    await insert("after the gap");
    await switchWal();
    expect(await runBackup(["ship"], env)).toMatchObject({ status: 0 });
    expect(await check()).toMatchObject({ status: 0 });
    renameSync(join(stored, gap), join(root, gap));
    expect(await check()).toMatchObject({
      status: 1,
      error: expect.stringContaining(`the first is ${gap.slice(0, 24)}`),
    });
    renameSync(join(root, gap), join(stored, gap));
    await insert("to be archived");
    rmSync(wal(), { recursive: true });
    await query(server.url, "select pg_switch_wal()");
    await until(async () => {
      const rows = await query(
        server.url,
        "select from pg_stat_archiver where last_failed_time > last_archived_time",
      );
      return rows.length > 0;
    });
    expect(await runBackup(["take", "--base"], env)).toMatchObject({
      status: 1,
      error: expect.stringContaining("archive_command fails"),
    });
    expect(await check()).toMatchObject({ status: 1 });
  });
});
