import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import type { PostgresServer } from "../../dev/postgres-server.js";
import { newSessionId } from "../../lib/auth/session/session.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { env } from "../../lib/env.js";
import { createArchivingPostgres } from "../support/archiving-postgres.js";
import { backupKey, query } from "../support/backups.js";
import { keepSession, ops } from "../support/ops-command.js";
import { useTwoProcesses } from "../support/two-processes.js";

const root = mkdtempSync(join(tmpdir(), "built-drill-"));
const scratch = join(root, "scratch");
const backups = { BACKUP_URL: `file://${join(root, "backups")}` };
const patient = 200_000;
let server: PostgresServer;
let operatorToken: string;

// Before the servers, because hooks end in reverse order.
afterAll(async () => {
  await server?.remove();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});
const processes = useTwoProcesses({
  environment: backups,
  async prepareDatabase() {
    server = await createArchivingPostgres(root, join(root, "wal"));
    const environment = { ...process.env, DATABASE_URL: server.url };
    await promisify(execFile)(process.execPath, ["dev/run.mjs", "migrate", "up"], {
      env: environment,
    });
    return server.url;
  },
});
const sql = (text: string) => query(server.url, text);
const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: patient, interval: 50 });

/** The program of the build, with the variables that the compose file gives it. */
function backup(args: string[], more: Record<string, string> = {}): ChildProcess {
  const program = spawn(process.execPath, [".vercel/self-hosted/backup.mjs", ...args], {
    cwd: inject("builtProject"),
    env: {
      ...processes.environment,
      PATH: process.env.PATH,
      BACKUP_KEY: backupKey,
      BACKUP_WAL_DIR: join(root, "wal"),
      TMPDIR: scratch,
      ...more,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  program.stderr?.pipe(process.stderr);
  return program;
}
const take = async (...args: string[]) =>
  expect((await once(backup(["take", ...args]), "close"))[0]).toBe(0);
const opsCommand = (...args: string[]) => {
  keepSession(root, processes.at(0), operatorToken);
  return ops(args, { env: { XDG_CONFIG_HOME: root, OPS_URL: processes.at(0) } });
};

beforeAll(async () => {
  mkdirSync(scratch, { mode: 0o711 });
  const [userId, sessionId] = [randomUUID(), newSessionId()];
  await sql(`insert into users (id, name, role) values ('${userId}', 'Ada', 'admin')`);
  await sql(
    `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at, expires_at)
     values ('${sessionId}', '${userId}', '{pwd,otp}', now(), now(), now(), now() + interval '1 day', now() + interval '1 day')`,
  );
  const now = new Date();
  const claims = { userId, sessionId, authenticatedAt: now, authMethods: ["pwd", "otp"] };
  operatorToken = await issueAccessToken(env(), claims, now);
  await sql("update schema_migrations set applied_at = now() - interval '1 day'");
  await sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
  await take("--base");
  await sql("insert into backup_canaries default values");
  // The start of a base backup is known to the second.
  await sql("select pg_sleep(1)");
  await take();
  await take("--base");
}, patient);

describe("a restore drill under the built server", { timeout: patient }, () => {
  it("is requested with ops, run by `backup run`, and finished after it was killed", async () => {
    const requested = await opsCommand("drill", "run", "--reason", "the first one");
    expect(requested, requested.error).toMatchObject({ status: 0 });
    expect((await opsCommand("drill", "status")).out).toContain(
      "Step: plan. `backup run` takes it",
    );

    const tools = join(root, "tools");
    mkdirSync(tools);
    // A restore that never ends by itself.
    writeFileSync(
      join(tools, "tar"),
      `#!/bin/sh\necho >> ${root}/tries\nwhile kill -0 $PPID; do sleep 0.1; done\n`,
    );
    chmodSync(join(tools, "tar"), 0o755);
    const tries = () =>
      existsSync(join(root, "tries")) && readFileSync(join(root, "tries"), "utf8");
    for (const [signal, count] of [
      ["SIGKILL", 1],
      ["SIGTERM", 2],
    ] as const) {
      const ended = backup(["run"], { PATH: `${tools}:${process.env.PATH}` });
      await until(() => tries() === "\n".repeat(count));
      ended.kill(signal);
      await once(ended, "close");
      await sql("update restore_drills set held_until = now() where finished_at is null");
    }

    const running = backup(["run"]);
    await until(
      async () =>
        (await sql("select 1 from restore_drills where finished_at is null")).length === 0,
    );
    running.kill("SIGTERM");
    expect((await once(running, "close"))[0]).toBe(0);
    const { status, out } = await opsCommand("drill", "status");
    expect(out).toMatch(/^succeeded, [\s\S]*\nRTO \d+ s, RPO \d+ s\n/);
    expect(status).toBe(0);
    expect((await opsCommand("drill", "history")).out).toContain("succeeded");
    const checked = await opsCommand("backup", "check");
    expect(checked, checked.out).toMatchObject({ status: 0 });
    expect(checked.out).toMatch(/pass {2}last_drill +the last success is 0 days old/);
    for (const args of [["list"], ["now", "--reason", "test"], ["setup", "--reason", "test"]]) {
      const refused = await opsCommand("backup", ...args);
      expect(refused.error).toContain(
        "backups_self_hosted: `backup run` takes the backups each day",
      );
    }
    expect(existsSync(scratch) && readdirSync(scratch)).toEqual([]);
  });

  it("says in plain words that Postgres is down", async () => {
    const running = backup(["run"], { DATABASE_URL: "postgresql://someone@127.0.0.1:1/none" });
    let said = "";
    running.stderr?.on("data", (bytes) => {
      said += bytes;
    });
    await until(() => ["drills", "erasures", "Check"].every((job) => said.includes(job)));
    running.kill("SIGTERM");
    expect((await once(running, "close"))[0]).toBe(0);
    const reason = "The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1";
    expect(
      said
        .trim()
        .split("\n")
        .map((line) => line.slice(line.indexOf(" ") + 1))
        .sort(),
    ).toEqual([
      `Advancing restore drills failed: ${reason}`,
      `Backup failed: ${reason}`,
      `Check failed: ${reason}`,
      `Recording erasures failed: ${reason}`,
    ]);
  });
});
