import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { env } from "../../lib/env.js";
import { backupKey } from "../support/backups.js";
import { keepSession, ops } from "../support/ops-command.js";
import { password } from "../support/people.js";
import { post, rotation, type Tokens, useTwoProcesses } from "../support/two-processes.js";

const cronSecret = "cron-secret-of-the-tests";
const processes = useTwoProcesses({ environment: { CRON_SECRET: cronSecret } });
let folder: string;
let operatorToken: string;
const kept: string[] = [];

beforeAll(async () => {
  const { userId, sessionId } = await processes.aRecordedLearner();
  await processes.sql("update users set role = 'admin' where id = $1", [userId]);
  await processes.sql("update sessions set auth_methods = '{pwd,otp}' where id = $1", [sessionId]);
  const now = new Date();
  const claims = { userId, sessionId, authenticatedAt: now, authMethods: ["pwd", "otp"] };
  operatorToken = await issueAccessToken(env(), claims, now);
  await cron("cleanup");
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hosted-restore-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => onServer(...kept.map((name) => `drop database if exists "${name}" with (force)`)));

const cron = async (name: string) => {
  const headers = { authorization: `Bearer ${cronSecret}` };
  const reply = await fetch(`${processes.at(0)}/api/cron/${name}`, { headers });
  expect(reply.status).toBe(200);
};
const databaseName = () => new URL(processes.environment.DATABASE_URL ?? "").pathname.slice(1);

async function onServer(...statements: string[]): Promise<void> {
  const url = Object.assign(new URL(process.env.TEST_DATABASE_URL ?? ""), {
    pathname: "/postgres",
  });
  const client = new pg.Client({ connectionString: url.toString() });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

const backupEnvironment = () => ({
  PATH: process.env.PATH,
  BACKUP_KEY: backupKey,
  BACKUP_URL: `file://${folder}`,
  DATABASE_URL: processes.environment.DATABASE_URL,
});
const program = (...args: string[]) => [".vercel/self-hosted/backup.mjs", ...args];

/** The built program, as in the container. */
function backup(...args: string[]): Promise<{ status: number; out: string; error: string }> {
  return new Promise((resolve) => {
    const options = { cwd: inject("builtProject"), env: backupEnvironment() };
    execFile(process.execPath, program(...args), options, (error, out, said) =>
      resolve({ status: error ? Number(error.code) : 0, out, error: said }),
    );
  });
}

/** What the service does each hour, and at its start. */
async function recordErasures(): Promise<void> {
  const log = join(folder, "erasures/log.age");
  const before = existsSync(log) ? statSync(log).mtimeMs : 0;
  const child = spawn(process.execPath, program("run"), {
    cwd: inject("builtProject"),
    env: backupEnvironment(),
    stdio: "ignore",
  });
  const exited = new Promise((resolve) => child.once("close", resolve));
  await expect.poll(() => statSync(log).mtimeMs, { timeout: 60_000 }).toBeGreaterThan(before);
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
}

/** Stops the servers, restores over their database, and starts one. */
async function restore(loseRedis = false): Promise<void> {
  const [id = ""] = readdirSync(join(folder, "dump")).sort();
  await Promise.all(processes.servers.map((server) => server.stop()));
  if (loseRedis) await processes.redis("FLUSHDB");
  await onServer(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${databaseName()}'`,
  );
  const restored = await backup("restore", id.replace(/\..*/, ""), "--replace", databaseName());
  expect(restored, restored.error).toMatchObject({ status: 0 });
  kept.push(/kept as (\S+)\./.exec(restored.out)?.[1] ?? "");
  processes.servers = [await processes.start()];
}

const opsCommand = (...args: string[]) => {
  keepSession(folder, processes.at(0), operatorToken);
  return ops(args, { env: { XDG_CONFIG_HOME: folder, OPS_URL: processes.at(0) } });
};
const finish = (...more: string[]) =>
  opsCommand("restore", "finish", "--reason", "restored a backup", ...more);
const statusOf = async (tokens: Tokens) => (await processes.read(0, tokens)).status;
const refreshed = (tokens: Pick<Tokens, "refreshToken">) =>
  processes.refresh(0, tokens.refreshToken, rotation());

/** Through the app, as the account's owner, and the purge after the grace period. */
async function erase(learner: Tokens): Promise<void> {
  const reply = await fetch(`${processes.at(0)}/api/user`, {
    method: "DELETE",
    headers: {
      authorization: `Bearer ${learner.accessToken}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ password }),
  });
  expect(reply.status, await reply.text()).toBe(202);
  await processes.sql("update users set purge_at = now() - interval '1 second' where id = $1", [
    learner.userId,
  ]);
  await processes.sql("delete from cron_leases where job = 'cleanup'");
  await cron("cleanup");
  expect(await isThere(learner)).toBe(false);
}

const isThere = async ({ userId }: Tokens) =>
  (await processes.sql("select 1 from users where id = $1", [userId])).length > 0;

async function isClosed(learner: Tokens & { email: string }): Promise<void> {
  const headers = { authorization: `Bearer ${learner.accessToken}` };
  const replies = [
    await fetch(`${processes.at(0)}/api/user`, { headers }),
    await post(`${processes.at(0)}/api/auth/login`, { email: learner.email, password }),
    await post(`${processes.at(0)}/api/auth/refresh`, { refreshToken: learner.refreshToken }),
  ];
  for (const reply of replies) {
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ code: "restore_in_progress" });
  }
}

describe("a restored backup under the built server", { timeout: 300_000 }, () => {
  it("opens only after the erasures are made again, and signs no other user out", async () => {
    const [gone, stays, rotates] = [
      await processes.aLearner(),
      await processes.aLearner(),
      await processes.aLearner(),
    ];
    expect(await backup("take")).toMatchObject({ status: 0 });
    await erase(gone);
    const rotated = (await refreshed(rotates)).pair;
    const later = (await processes.logIn(0, stays.email)).pair;
    await restore();
    expect(await isThere(gone)).toBe(true);
    await isClosed(gone);
    await isClosed(stays);

    const finished = await finish();
    expect(finished.error + finished.out).toMatch(/Erased 1 account again by the stream in Redis/);
    expect(finished.status).toBe(0);
    expect(await isThere(gone)).toBe(false);
    expect([await statusOf(gone), (await refreshed(gone)).status]).toEqual([401, 401]);
    expect((await processes.logIn(0, gone.email)).status).toBe(401);
    expect(await statusOf(stays)).toBe(200);
    // One of before the backup, one that was rotated after it, and one of a session that began after it.
    for (const tokens of [stays, rotated, later]) {
      expect((await refreshed(tokens ?? { refreshToken: "" })).status).toBe(200);
    }
    const verified = await opsCommand("verify");
    expect(verified, verified.out).toMatchObject({ status: 0 });
  });

  it("does so from the log beside the backups when Redis is lost too", async () => {
    const [gone, stays] = [await processes.aLearner(), await processes.aLearner()];
    expect(await backup("take")).toMatchObject({ status: 0 });
    await erase(gone);
    await recordErasures();
    const later = (await processes.logIn(0, stays.email)).pair;
    await restore(true);
    await isClosed(stays);
    const finished = await finish();
    expect(finished.error + finished.out).toMatch(/again by the log beside the backups, restored/);
    expect(await isThere(gone)).toBe(false);
    expect((await refreshed(stays)).status).toBe(200);
    // No store has the session that began after the backup.
    expect((await refreshed(later ?? { refreshToken: "" })).status).toBe(401);
    expect(await processes.sql("select 1 from restored_erasures")).toEqual([]);
  });

  it("stays closed when neither copy can be read, until a list is given", async () => {
    const [gone, stays] = [await processes.aLearner(), await processes.aLearner()];
    expect(await backup("take")).toMatchObject({ status: 0 });
    await erase(gone);
    rmSync(join(folder, "erasures"), { recursive: true });
    await restore(true);
    const refused = await finish();
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.out + refused.error).toContain("erasures_unreadable");
    await isClosed(stays);
    const list = join(folder, "list");
    writeFileSync(list, gone.userId);
    expect(await finish("--erasures", list)).toMatchObject({ status: 0 });
    expect(await isThere(gone)).toBe(false);
    expect((await refreshed(stays)).status).toBe(200);
  });
});
