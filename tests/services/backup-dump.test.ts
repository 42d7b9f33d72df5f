import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { once } from "../../lib/archives/digest.js";
import { listBackups, removeBackup, writeManifest } from "../../lib/archives/manifest.js";
import { migrationHead } from "../../lib/db/migration-head.js";
import {
  backupKey,
  contextOf,
  emptyDatabase,
  otherKey,
  query,
  runBackup,
  useFolders,
} from "../support/backups.js";
import { onTerminal } from "../support/pty.js";
import { createDatabase } from "../support/real-stores.js";

const folder = useFolders();
let source: Awaited<ReturnType<typeof createDatabase>>;
let target: Awaited<ReturnType<typeof emptyDatabase>>;
let backups: string;
let env: Record<string, string>;

let taken: string;

beforeAll(async () => {
  source = await createDatabase(inject("migrated"));
  await query(source.url, "create table facts (id int primary key, fact text)");
  await query(
    source.url,
    "insert into facts select n, md5(n::text) from generate_series(1, 5000) n",
  );
  taken = mkdtempSync(join(tmpdir(), "hosted-taken-"));
  const result = await runBackup(["take"], {
    BACKUP_URL: `file://${taken}`,
    DATABASE_URL: source.url,
  });
  expect(result).toMatchObject({ status: 0, error: "" });
});
afterAll(async () => {
  await source.drop();
  rmSync(taken, { recursive: true, force: true });
});
beforeEach(async () => {
  target = await emptyDatabase("target");
  backups = folder();
  cpSync(taken, backups, { recursive: true, preserveTimestamps: true });
  env = { BACKUP_URL: `file://${backups}` };
});
afterEach(() => target.drop());

const sum = "select count(*)::int, md5(string_agg(fact, ',' order by id)) from facts";
const take = () => runBackup(["take"], { ...env, DATABASE_URL: source.url });
const restore = (...args: string[]) =>
  runBackup(["restore", ...args], { ...env, DATABASE_URL: target.url });
const archive = () => {
  const [name = ""] = readdirSync(join(backups, "dump")).filter((file) => file.endsWith(".age"));
  return join(backups, "dump", name);
};
const manifest = () => archive().replace(/age$/, "json");
const isEmpty = async () =>
  (await query(target.url, "select from pg_class where relnamespace = 'public'::regnamespace"))
    .length === 0;

describe("`backup take` on a terminal", () => {
  it("estimates the rest from the last dump, and without one shows none", async () => {
    const settings = {
      BACKUP_URL: `file://${folder()}`,
      BACKUP_KEY: backupKey,
      DATABASE_URL: source.url,
    };
    const take = () => onTerminal(["dev/run.mjs", "backup", "take"], [], settings);
    const first = await take();
    expect(first).toMatchObject({ status: 0, out: expect.stringMatching(/dump .*B\/s/) });
    expect(first.out).not.toContain("%");
    const second = await take();
    expect(second).toMatchObject({ status: 0, out: expect.stringMatching(/dump .* about \d+ % /) });
  }, 60_000);
});

describe("backup take and restore", { timeout: 120_000 }, () => {
  it("brings every row back into an empty database", async () => {
    expect(await runBackup(["verify"], env)).toMatchObject({ status: 0 });
    const restored = await restore();
    expect(restored).toMatchObject({ status: 0, error: "" });
    expect(restored.out).toContain("npm run ops -- restore finish");
    expect(await query(target.url, sum)).toEqual(await query(source.url, sum));
    const { manifest: written } = JSON.parse(readFileSync(manifest(), "utf8"));
    expect(written).toMatchObject({ migrationHead, rows: { "public.facts": 5000 } });
  });

  it("creates the database when the server has none of that name", async () => {
    const absent = await emptyDatabase("absent", { create: false });
    try {
      const restored = await runBackup(["restore"], { ...env, DATABASE_URL: absent.url });
      expect(restored).toMatchObject({ status: 0, error: "" });
      expect(await query(absent.url, sum)).toEqual(await query(source.url, sum));
    } finally {
      await absent.drop();
    }
  });

  it("writes nothing unencrypted, and files that only the owner can read", async () => {
    expect(readFileSync(archive()).subarray(0, 21).toString()).toBe("age-encryption.org/v1");
    expect(readFileSync(archive()).includes("facts")).toBe(false);
  });

  it("replaces a database with tables only when it is named, and keeps it", async () => {
    await query(target.url, "create table mine (id int)");
    const refused = await restore();
    expect(refused).toMatchObject({ status: 3 });
    expect(refused.error).toContain(`--replace ${target.name}`);
    expect(await restore("--replace", "another")).toMatchObject({ status: 3 });
    expect(await query(target.url, "select from mine")).toEqual([]);
    const replaced = await restore("--replace", target.name);
    expect(replaced).toMatchObject({ status: 0 });
    const kept = /kept as (\S+)\./.exec(replaced.out)?.[1];
    expect(await query(target.url, sum)).toEqual(await query(source.url, sum));
    const old = Object.assign(new URL(target.url), { pathname: `/${kept}` }).toString();
    expect(await query(old, "select from mine")).toEqual([]);
  });

  it("refuses a database that is in use", async () => {
    await query(target.url, "create table mine (id int)");
    const { default: pg } = await import("pg");
    const user = new pg.Client({ connectionString: target.url });
    user.on("error", () => {});
    await user.connect();
    expect(await restore("--replace", target.name)).toMatchObject({
      status: 3,
      error: expect.stringContaining("has 1 open connections"),
    });
    await user.end();
  });

  it("passes by a dump that says it is of the future, and names it", async () => {
    await take();
    const context = contextOf(backups);
    const { complete } = await listBackups(context.store, context.keys);
    const [older] = complete;
    if (!older) throw new Error("There is no backup.");
    const early = { now: () => new Date(Date.parse(older.createdAt) - 3_600_000) };
    expect(await runBackup(["verify"], env, early)).toMatchObject({
      status: 3,
      error: expect.stringMatching(/has no complete dump\. dump\/\S+ is of \S+, in the future\./),
    });
    await removeBackup(context.store, older);
    const future = { ...older, createdAt: new Date(Date.now() + 86_400_000).toISOString() };
    await context.store.put(`dump/${older.id}.age`, once("x"));
    await writeManifest(context.store, context.keys, { ...future, bytes: 1 });
    const verified = await runBackup(["verify"], env);
    expect(verified).toMatchObject({
      status: 0,
      error: `Warning: Not used: dump/${older.id} is of ${future.createdAt}, in the future.`,
    });
    expect(verified.out).not.toContain(older.id);
  });

  it("uses no older dump than a broken one unless it is named", async () => {
    const older = archive().slice(-29, -4);
    await take();
    const [newest = ""] = readdirSync(join(backups, "dump"))
      .filter((file) => file.endsWith(".age") && !file.startsWith(older))
      .map((file) => join(backups, "dump", file));
    const refused = {
      status: 3,
      error: expect.stringMatching(/is missing\. To use an older dump, name its ID: \d{8}T/),
    };
    rmSync(newest);
    expect(await restore()).toMatchObject(refused);
    expect(await runBackup(["verify"], env)).toMatchObject(refused);
    expect(await isEmpty()).toBe(true);
    expect(await restore(older)).toMatchObject({ status: 0 });
    writeFileSync(newest, "without its manifest");
    rmSync(newest.replace(/age$/, "json"));
    const verified = await runBackup(["verify"], env);
    expect(verified).toMatchObject({
      status: 0,
      error: expect.stringContaining("has no manifest"),
    });
  });

  it("does not take a base backup for a dump", async () => {
    renameSync(join(backups, "dump"), join(backups, "base"));
    expect((await restore()).error).toContain("has no complete dump");
  });

  it("takes two backups at once", async () => {
    const both = await Promise.all([take(), take()]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    const { out } = await runBackup(["list"], env);
    expect(out.split("\n")).toHaveLength(3);
  });
});

describe("backup mark", { timeout: 120_000 }, () => {
  const mark = (...args: string[]) =>
    runBackup(["mark", ...args], { ...env, DATABASE_URL: target.url });
  const closed = "select restore_begun_at > restore_finished_at as closed from security_settings";

  it("closes the app over a database in use only when that is confirmed", async () => {
    expect((await restore()).status).toBe(0);
    // It is closed already.
    expect(await mark()).toMatchObject({ status: 0 });
    await query(target.url, "update security_settings set restore_finished_at = restore_begun_at");
    for (const args of [[], ["--confirm", "yes"]]) {
      expect(await mark(...args)).toMatchObject({
        status: 3,
        error: expect.stringMatching(/ accepts writes: .* add: --confirm closed$/),
      });
    }
    expect(await query(target.url, closed)).toEqual([{ closed: false }]);
    expect(await mark("--confirm", "closed")).toMatchObject({ status: 0 });
    expect(await query(target.url, closed)).toEqual([{ closed: true }]);
  });
});

describe("backup check and list", { timeout: 120_000 }, () => {
  it("say that they read no archive, and which command does", async () => {
    const bytes = readFileSync(archive());
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    writeFileSync(archive(), bytes);
    await query(source.url, "delete from erasures");
    expect(await take()).toMatchObject({ status: 0 });
    const checked = await runBackup(["check"], { ...env, DATABASE_URL: source.url });
    expect(checked).toMatchObject({ status: 0, error: "" });
    expect(checked.out).toContain("It read no archive: `npm run backup -- verify`");
    expect(checked.out).toContain("`npm run ops -- drill status`");
  });

  it("fail when the folder of BACKUP_URL does not exist", async () => {
    const missing = join(backups, "nope");
    const there = { BACKUP_URL: `file://${missing}`, DATABASE_URL: source.url };
    for (const command of ["list", "verify", "check"]) {
      expect(await runBackup([command], there)).toMatchObject({
        status: 1,
        out: "",
        error: `Error: The folder ${missing} of BACKUP_URL does not exist. Is the disk mounted?`,
      });
    }
    expect(await runBackup(["take"], there)).toMatchObject({ status: 0 });
  });
});

describe("before anything is written, backup restore refuses", { timeout: 120_000 }, () => {
  const flip = (path: string, at: (length: number) => number) => {
    const bytes = readFileSync(path);
    const position = at(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
    writeFileSync(path, bytes);
  };
  const damages: [string, () => unknown][] = [
    ["a truncated archive", () => truncateSync(archive(), readFileSync(archive()).length - 1)],
    ["an archive cut between two chunks", () => truncateSync(archive(), 65_752)],
    ["an empty archive", () => truncateSync(archive(), 0)],
    ["an archive with one bit changed at its start", () => flip(archive(), () => 30)],
    [
      "an archive with one bit changed in the middle",
      () => flip(archive(), (length) => length >> 1),
    ],
    ["an archive with one bit changed at its end", () => flip(archive(), (length) => length - 1)],
    [
      "a manifest that was edited",
      () =>
        writeFileSync(
          manifest(),
          readFileSync(manifest(), "utf8").replace('"public.facts": 5000', '"public.facts": 4999'),
        ),
    ],
    ["a manifest that is no JSON", () => writeFileSync(manifest(), "{")],
    ["a manifest that is empty", () => writeFileSync(manifest(), "")],
  ];

  it.each(damages)("%s", async (_, damage) => {
    damage();
    const id = archive().slice(-29, -4);
    for (const args of [[id], []]) expect(await restore(...args)).toMatchObject({ status: 3 });
    expect((await runBackup(["verify", id], env)).status).toBe(3);
    expect(await isEmpty()).toBe(true);
  });

  it("the archive of another backup", async () => {
    await take();
    const [one = "", two = ""] = readdirSync(join(backups, "dump"))
      .filter((file) => file.endsWith(".age"))
      .map((file) => join(backups, "dump", file));
    writeFileSync(one, readFileSync(two));
    expect(await restore(one.slice(-29, -4))).toMatchObject({
      status: 3,
      error: expect.stringContaining("is not that of its manifest"),
    });
    writeFileSync(one.replace(/age$/, "json"), readFileSync(two.replace(/age$/, "json")));
    expect(await restore(one.slice(-29, -4))).toMatchObject({
      status: 3,
      error: expect.stringContaining("belongs to another backup"),
    });
    expect(await isEmpty()).toBe(true);
  });

  it("another key, and takes an earlier one", async () => {
    const wrong = { ...env, DATABASE_URL: target.url, BACKUP_KEY: otherKey };
    expect(await runBackup(["restore"], wrong)).toMatchObject({
      status: 3,
      error: expect.stringContaining("which is neither BACKUP_KEY nor in BACKUP_KEY_PREVIOUS"),
    });
    expect(await isEmpty()).toBe(true);
    const { backupKey } = await import("../support/backups.js");
    const rotated = { ...wrong, BACKUP_KEY_PREVIOUS: backupKey };
    expect(await runBackup(["restore"], rotated)).toMatchObject({ status: 0 });
  });

  it("a backup of a newer release", async () => {
    await query(
      source.url,
      "insert into schema_migrations values ('9999_of_tomorrow', 'x', now())",
    );
    await take();
    await query(source.url, "delete from schema_migrations where name = '9999_of_tomorrow'");
    expect(await restore()).toMatchObject({
      status: 3,
      error: expect.stringContaining("9999_of_tomorrow, which this release does not know"),
    });
    expect(await isEmpty()).toBe(true);
  });
});
