import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { type S3Endpoint, startS3Endpoint } from "../../dev/s3-endpoint.js";
import { collect } from "../../lib/archives/digest.js";
import { outputOf } from "../../lib/archives/postgres-tools.js";
import { takeDump } from "../../lib/archives/take-dump.js";
import {
  backupKey,
  contextOf,
  emptyDatabase,
  query,
  runBackup,
  useFolders,
} from "../support/backups.js";
import { createDatabase } from "../support/real-stores.js";

const folder = useFolders();
let source: Awaited<ReturnType<typeof createDatabase>>;
const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 100_000, interval: 10 });

beforeAll(async () => {
  source = await createDatabase(inject("migrated"));
  await query(source.url, "create table facts (id int primary key, fact text)");
  // Random, so that the archive is larger than the buffers between the programs.
  await query(
    source.url,
    `insert into facts select n, string_agg(md5(random()::text), '')
     from generate_series(1, 3000) n, generate_series(1, 100) m group by n`,
  );
}, 120_000);
afterAll(() => source.drop());

/** The program of the build, as operators run it. */
function program(args: string[], env: Record<string, string | undefined>): ChildProcess {
  const built = join(inject("builtProject"), ".vercel/self-hosted/backup.mjs");
  const variables = { PATH: process.env.PATH, BACKUP_KEY: backupKey, ...env };
  return spawn(process.execPath, [built, ...args], {
    env: variables,
    cwd: inject("builtProject"),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** A program of PostgreSQL's client, replaced by a shell script; `REAL` is the real one. */
function toolsWith(tool: string, script: string): string {
  const path = folder();
  const real = (process.env.PATH ?? "")
    .split(":")
    .map((one) => join(one, tool))
    .find((one) => existsSync(one));
  writeFileSync(join(path, tool), `#!/bin/sh\nREAL=${real}\n${script}\n`);
  chmodSync(join(path, tool), 0o755);
  return `${path}:${process.env.PATH}`;
}
/** In place of its end, and so that nothing is left when its parent was killed. */
const untilParentEnds = "while kill -0 $PPID 2>/dev/null; do sleep 0.1; done";
const unlessVersion = (script: string) =>
  `case "$1" in --version) exec $REAL --version;; esac\n${script}`;
const listed = async (backups: string) =>
  (await runBackup(["list"], { BACKUP_URL: `file://${backups}` })).out;

describe("the program of the build", { timeout: 200_000 }, () => {
  it("takes, lists and verifies, and names what is missing in its settings", async () => {
    const backups = folder();
    const env = { BACKUP_URL: `file://${backups}`, DATABASE_URL: source.url };
    for (const command of ["take", "list", "verify"]) {
      expect((await once(program([command], env), "close"))[0]).toBe(0);
    }
    const unset = program(["take"], { BACKUP_KEY: "", DATABASE_URL: source.url });
    let said = "";
    unset.stderr?.on("data", (bytes) => {
      said += bytes;
    });
    expect((await once(unset, "close"))[0]).toBe(2);
    expect(said).toContain("BACKUP_URL and BACKUP_KEY required");
  });

  it("leaves nothing that is listed when it is killed during a take, and takes again", async () => {
    const backups = folder();
    // The dump never ends by itself.
    const PATH = toolsWith(
      "pg_dump",
      unlessVersion(`$REAL "$@" | head -c 5000000\n${untilParentEnds}`),
    );
    const env = { BACKUP_URL: `file://${backups}`, DATABASE_URL: source.url };
    const taking = program(["take"], { ...env, PATH });
    const unfinished = () => {
      const path = join(backups, ".unfinished");
      return existsSync(path) && readdirSync(path).length > 0;
    };
    await until(unfinished);
    taking.kill("SIGKILL");
    await once(taking, "close");
    expect(await listed(backups)).toContain("has no complete backup");
    expect(await runBackup(["take"], env)).toMatchObject({ status: 0 });
    const tomorrow = { now: () => new Date(Date.now() + 2 * 86_400_000) };
    expect((await runBackup(["prune"], env, tomorrow)).out).toContain("1 interrupted uploads");
    expect(unfinished()).toBe(false);
  });

  it("never leaves a half database under the real name when it is killed during a restore", async () => {
    const backups = folder();
    const env = { BACKUP_URL: `file://${backups}`, DATABASE_URL: source.url };
    await runBackup(["take"], env);
    const target = await emptyDatabase("killed");
    try {
      const marked = folder();
      const PATH = toolsWith(
        "pg_restore",
        unlessVersion(`touch ${marked}/started\nhead -c 100000 >/dev/null\n${untilParentEnds}`),
      );
      const restoring = program(["restore"], { ...env, DATABASE_URL: target.url, PATH });
      await until(() => existsSync(join(marked, "started")));
      restoring.kill("SIGKILL");
      await once(restoring, "close");
      expect(await query(target.url, "select from pg_tables where schemaname = 'public'")).toEqual(
        [],
      );
      const again = await runBackup(["restore"], { ...env, DATABASE_URL: target.url });
      expect(again).toMatchObject({ status: 0 });
      const left = await target.server.query(
        "select datname from pg_database where datname like $1",
        [`${target.name}%`],
      );
      expect(left.rows).toEqual([{ datname: target.name }]);
    } finally {
      await target.drop();
    }
  });

  it("refuses a second restore, and drops no table that was made during the first", async () => {
    const env = { BACKUP_URL: `file://${folder()}`, DATABASE_URL: source.url };
    await runBackup(["take"], env);
    const target = await emptyDatabase("second");
    try {
      const marked = folder();
      const wait = `touch ${marked}/started\nwhile [ ! -e ${marked}/go ]; do sleep 0.05; done\nexec $REAL "$@"`;
      const PATH = toolsWith("pg_restore", unlessVersion(wait));
      const first = runBackup(["restore"], { ...env, DATABASE_URL: target.url, PATH });
      await until(() => existsSync(join(marked, "started")));
      expect(await runBackup(["restore"], { ...env, DATABASE_URL: target.url })).toMatchObject({
        status: 3,
        error: expect.stringContaining(`Another restore into ${target.name} runs`),
      });
      await query(target.url, "create table mine (id int)");
      writeFileSync(join(marked, "go"), "");
      expect(await first).toMatchObject({
        status: 3,
        error: expect.stringContaining("has tables"),
      });
      expect(await query(target.url, "select from mine")).toEqual([]);
    } finally {
      await target.drop();
    }
  });

  it("shows the password of the database in no argument", async () => {
    const seen = join(folder(), "seen");
    const PATH = toolsWith(
      "pg_dump",
      unlessVersion(
        `echo "$@" > ${seen}; echo "$PGPASSWORD $BACKUP_KEY" >> ${seen}; exec $REAL "$@"`,
      ),
    );
    const url = Object.assign(new URL(source.url), { password: "a-password" }).toString();
    await runBackup(["take"], { BACKUP_URL: `file://${folder()}`, DATABASE_URL: url, PATH });
    const [args, variables] = readFileSync(seen, "utf8").split("\n");
    expect(args).not.toContain("a-password");
    expect(variables?.trim()).toBe("a-password");
  });
});

describe("backup take", { timeout: 200_000 }, () => {
  it("fails clearly when pg_dump is missing or older than the server", async () => {
    const env = { BACKUP_URL: `file://${folder()}`, DATABASE_URL: source.url };
    const empty = folder();
    symlinkSync("/bin/true", join(empty, "true"));
    expect(await runBackup(["take"], { ...env, PATH: empty })).toMatchObject({
      status: 1,
      error: expect.stringMatching(/pg_dump is missing: install PostgreSQL's client programs/),
    });
    const old = toolsWith("pg_dump", "echo 'pg_dump (PostgreSQL) 11.2'");
    expect(await runBackup(["take"], { ...env, PATH: old })).toMatchObject({
      status: 1,
      error: expect.stringContaining("pg_dump is of PostgreSQL 11, which is older than"),
    });
  });

  it("lists nothing when the database is dropped during the dump", async () => {
    const other = await emptyDatabase("dropped");
    await query(other.url, "create table facts as select n from generate_series(1, 1000) n");
    const backups = folder();
    const marked = folder();
    const PATH = toolsWith(
      "pg_dump",
      unlessVersion(
        `touch ${marked}/started\nwhile [ ! -e ${marked}/dropped ]; do sleep 0.05; done\nexec $REAL "$@"`,
      ),
    );
    const taking = runBackup(["take"], {
      BACKUP_URL: `file://${backups}`,
      DATABASE_URL: other.url,
      PATH,
    });
    await until(() => existsSync(join(marked, "started")));
    await other.server.query(`drop database ${other.name} with (force)`);
    writeFileSync(join(marked, "dropped"), "");
    expect(await taking).toMatchObject({ status: 1 });
    expect(await listed(backups)).toContain("has no complete backup");
    await other.drop();
  });

  it("lists nothing when the dump fails after its last byte", async () => {
    const backups = folder();
    const PATH = toolsWith(
      "pg_dump",
      unlessVersion('$REAL "$@"; echo "pg_dump: oops" >&2; exit 1'),
    );
    const failed = await runBackup(["take"], {
      BACKUP_URL: `file://${backups}`,
      DATABASE_URL: source.url,
      PATH,
    });
    expect(failed).toMatchObject({ status: 1, error: expect.stringContaining("oops") });
    expect(await listed(backups)).toContain("has no complete backup");
  });

  it("lists nothing, and keeps nothing, when the disk of the store is full", async () => {
    const backups = folder();
    const context = contextOf(backups, source.url);
    const { put } = context.store;
    const full = Object.assign(new Error("write"), { code: "ENOSPC" });
    context.store.put = (name, body) =>
      put(
        name,
        (async function* () {
          let bytes = 0;
          for await (const chunk of body) {
            bytes += chunk.length;
            if (bytes > 200_000) throw full;
            yield chunk;
          }
        })(),
      );
    await expect(takeDump(context)).rejects.toThrow(
      `${backups} could not be written: the disk is full`,
    );
    expect(readdirSync(join(backups, ".unfinished"))).toEqual([]);
    expect(await listed(backups)).toContain("has no complete backup");
  });

  it("lists nothing when the store damages the archive", async () => {
    const backups = folder();
    const context = contextOf(backups, source.url);
    const { put } = context.store;
    context.store.put = async (name, body) => {
      await put(name, body);
      const path = join(backups, name);
      if (name.endsWith(".age")) {
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.fill(0, bytes.length - 1));
      }
    };
    await expect(takeDump(context)).rejects.toThrow("cannot be read back");
    expect(await listed(backups)).toContain("has no complete backup");
    expect(readdirSync(join(backups, "dump"))).toEqual([]);
  });

  it("ends a tool that gives no output", async () => {
    const PATH = toolsWith("pg_dump", untilParentEnds);
    const run = { tool: "pg_dump", args: [], environment: { PATH } } as const;
    await expect(collect(outputOf(run, 100))).rejects.toThrow(
      "pg_dump was ended after 0.1 s without output.",
    );
  });

  it("warns when the clocks differ", async () => {
    const env = { BACKUP_URL: `file://${folder()}`, DATABASE_URL: source.url };
    const ahead = { now: () => new Date(Date.now() + 3_600_000) };
    const taken = await runBackup(["take"], env, ahead);
    expect(taken).toMatchObject({ status: 0 });
    expect(taken.error).toMatch(/^Warning: The clock of this machine is 3\d\d\d s ahead of that/);
  });
});

describe("a bucket as the store", { timeout: 200_000 }, () => {
  let s3: S3Endpoint;
  beforeAll(async () => {
    s3 = await startS3Endpoint();
  });
  afterAll(() => s3.close());

  it("takes the address and the credentials from the AWS variables", async () => {
    const env = {
      BACKUP_URL: "s3://backups/linguamate",
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
      DATABASE_URL: source.url,
    };
    expect((await once(program(["take"], env), "close"))[0]).toBe(0);
    const shapes = [...s3.objects.keys()].map((key) => key.replace(/dump\/.*\./, "dump/ID."));
    expect(shapes.map((key) => key.split("/").slice(-2).join("/")).sort()).toEqual([
      "dump/ID.age",
      "dump/ID.json",
      "erasures/log.age",
    ]);
    const target = await emptyDatabase("bucket");
    try {
      const restored = program(["restore"], { ...env, DATABASE_URL: target.url });
      expect((await once(restored, "close"))[0]).toBe(0);
      const count = "select count(*)::int from facts";
      expect(await query(target.url, count)).toEqual(await query(source.url, count));
    } finally {
      await target.drop();
    }
  });
});

describe("npm run prove -- backup", () => {
  it("succeeds with few rows", { timeout: 300_000 }, async () => {
    const { TEST_DATABASE_URL, PATH } = process.env;
    const proving = spawn(process.execPath, ["dev/run.mjs", "prove", "backup", "2000"], {
      env: { TEST_DATABASE_URL, PATH },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    proving.stdout.on("data", (bytes) => {
      said += bytes;
    });
    expect((await once(proving, "close"))[0]).toBe(0);
    expect(said).toContain("Done: every table has the same rows and checksum after the restore.");
  });
});
