import { randomUUID } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { openBackupKeys } from "../../lib/archives/backup-keys.js";
import { readErasures, recordErasures } from "../../lib/archives/erasures.js";
import {
  backupKeys,
  contextOf,
  otherKey,
  query,
  runBackup,
  useFolders,
} from "../support/backups.js";
import { createDatabase } from "../support/real-stores.js";

const folder = useFolders();
let database: Awaited<ReturnType<typeof createDatabase>>;
let root: string;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createDatabase(inject("migrated"));
});
afterAll(() => database.drop());
beforeEach(async () => {
  root = folder();
  env = { BACKUP_URL: `file://${root}`, DATABASE_URL: database.url };
  await query(database.url, "delete from erasures");
});

const erase = async (age = "0 hours") => {
  const id = randomUUID();
  await query(
    database.url,
    `insert into erasures values ('${id}', date_trunc('ms', now() - interval '${age}'))`,
  );
  return id;
};
const record = () => recordErasures(contextOf(root, database.url));
const recorded = async () => (await readErasures(contextOf(root))).map(({ userId }) => userId);
const path = () => join(root, "erasures/log.age");
const check = () => runBackup(["check"], env);

describe("the log of erasures beside the backups", { timeout: 60_000 }, () => {
  it("has each receipt of the database, and keeps those that a restored database has not", async () => {
    await record();
    expect(await recorded()).toEqual([]);
    const ids = [await erase(), await erase("30 days")];
    await record();
    await query(database.url, "delete from erasures");
    ids.push(await erase());
    await Promise.all([record(), record()]);
    expect((await recorded()).sort()).toEqual(ids.sort());
  });

  it("is written only when something is new", async () => {
    await erase();
    await record();
    const before = readFileSync(path());
    await record();
    expect(readFileSync(path()).equals(before)).toBe(true);
  });

  it("is recorded before each backup, and forgets what is older than every backup", async () => {
    const [old, recent] = [await erase("40 days"), await erase("1 hour")];
    expect(await runBackup(["take"], env)).toMatchObject({ status: 0, error: "" });
    expect((await recorded()).sort()).toEqual([old, recent].sort());
    await record();
    expect(await recorded()).toEqual([recent]);
  });

  it("forgets nothing while a backup cannot be read", async () => {
    const old = await erase("40 days");
    expect(await runBackup(["take"], env)).toMatchObject({ status: 0 });
    const unreadable = join(root, "dump/20260101T000000Z-00000000.json");
    writeFileSync(unreadable, "{}");
    await record();
    expect(await recorded()).toEqual([old]);
    rmSync(unreadable);
    await record();
    expect(await recorded()).toEqual([]);
  });

  it("is not written from a database that is being restored", async () => {
    await query(database.url, "update security_settings set restore_begun_at = now()");
    await record();
    await query(database.url, "update security_settings set restore_begun_at = 'epoch'");
    expect(existsSync(path())).toBe(false);
  });

  it("shows no account to a reader without the key", async () => {
    const id = await erase();
    await record();
    expect(readFileSync(path()).includes(id)).toBe(false);
    const keys = await openBackupKeys([otherKey]);
    await expect(readErasures({ ...contextOf(root), keys })).rejects.toThrow("another key");
  });

  it.each<[string, () => void]>([
    ["truncated", () => truncateSync(path(), readFileSync(path()).length - 1)],
    ["emptied", () => truncateSync(path(), 0)],
    ["replaced by a text", () => writeFileSync(path(), JSON.stringify({ erasures: [] }))],
    [
      "replaced by a backup",
      () => {
        const [name = ""] = readdirSync(join(root, "dump")).filter((one) => one.endsWith(".age"));
        renameSync(join(root, "dump", name), path());
      },
    ],
  ])("is refused, not replaced, and reported by check when it was %s", async (_, damage) => {
    await erase();
    await runBackup(["take"], env);
    damage();
    const damaged = readFileSync(path());
    await expect(readErasures({ ...contextOf(root), keys: backupKeys })).rejects.toThrow(
      "erasures/log.age",
    );
    await expect(record()).rejects.toThrow("erasures/log.age");
    expect(readFileSync(path()).equals(damaged)).toBe(true);
    expect((await check()).error).toContain("erasures/log.age");
  });

  it("is refused when it was deleted, and check tells, also when it is only behind", async () => {
    await runBackup(["take"], env);
    expect(await check()).toMatchObject({ status: 0 });
    await erase("0 hours");
    // As when it was recorded three hours ago: the newest backup is older than that.
    await query(database.url, "update erasures set erased_at = now()");
    const later = { now: () => new Date(Date.now() + 3 * 3_600_000) };
    expect((await runBackup(["check"], env, later)).error).toContain(
      "1 erasures are not recorded beside the backups.",
    );
    await record();
    expect(await runBackup(["check"], env, later)).toMatchObject({ status: 0 });
    rmSync(path());
    await expect(recorded()).rejects.toThrow("erasures/log.age is not in");
    expect((await check()).error).toContain("erasures/log.age is not in");
  });
});
