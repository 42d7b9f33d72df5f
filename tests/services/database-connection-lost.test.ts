import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { createPostgres, type PostgresServer } from "../../dev/postgres-server.js";
import { newSessionId } from "../../lib/auth/session/session.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { env } from "../../lib/env.js";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.js";
import { setEnvironment } from "../support/environment.js";
import { keepSession, opsBundle } from "../support/ops-command.js";
import { openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";
import { builtServer, type ServerProcess, startServerProcess } from "../support/server-process.js";

const page = readFileSync("docs/runbooks/database-connection-lost.md", "utf8");
const cronSecret = "cron-secret-of-the-tests";

/** The command of the page that contains this text. */
function command(part: string): string {
  const lines = [...page.matchAll(/```(?:bash|console)\n([\s\S]*?)\n```/g)].flatMap(
    ([, block = ""]) => block.split("\n"),
  );
  const found = lines.find((line) => line.includes(part));
  if (!found) throw new Error(`The page has no command with ${part}.`);
  return found;
}

let server: PostgresServer;
let proxy: CutProxy;
let redis: Awaited<ReturnType<typeof openWorkerRedis>>;
const instances: ServerProcess[] = [];
let given: Record<string, string> = {};
const home = mkdtempSync(path.join(tmpdir(), "linguamate-connection-lost-"));
const postgresFolder = mkdtempSync(path.join(tmpdir(), "linguamate-postgres-"));

beforeAll(async () => {
  server = await createPostgres(path.join(postgresFolder, "data"), {
    settings: { max_connections: "60" },
    password: "superuser-of-the-test",
  });
  // Without superuser, as at a provider: the migrations must not need it.
  await server.sql("create role app login password 'first'");
  await server.sql("create database linguamate owner app");
  proxy = await startCutProxy(`postgresql://app:first@127.0.0.1:${server.port}/linguamate`);
  redis = await openWorkerRedis();
  const environment = {
    NODE_ENV: "test",
    DATABASE_URL: proxy.url,
    REDIS_URL: workerRedisUrl(),
    JWT_SECRET: "a-secret-of-the-tests-of-32-bytes-or-more",
    LOG_LEVEL: "NOTICE",
    RATE_LIMIT_MAX_REQUESTS: "100000",
    CRON_SECRET: cronSecret,
  };
  setEnvironment(environment);
  await migrate(environment);
  const start = () => startServerProcess(inject("builtProject"), builtServer, environment);
  instances.push(...(await Promise.all([start(), start()])));
  given = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    OPS_URL: instances[0]?.url ?? "",
    XDG_CONFIG_HOME: home,
    DATABASE_URL: proxy.url,
  };
  keepSession(home, instances[0]?.url ?? "", await anAdmin());
}, 120_000);
afterAll(async () => {
  await Promise.all(instances.map((instance) => instance.stop()));
  await redis.close();
  await proxy.close();
  await server.remove();
  for (const directory of [home, postgresFolder])
    rmSync(directory, { recursive: true, force: true });
  setEnvironment({});
});

function migrate(environment: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: process.env.PATH, ...environment } };
    execFile("node", ["dev/run.mjs", "migrate", "up"], options, (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

async function anAdmin(): Promise<string> {
  const [userId, sessionId, now] = [randomUUID(), newSessionId(), new Date()];
  const client = new pg.Client({ connectionString: proxy.url });
  await client.connect();
  await client.query("insert into users (id, name, role) values ($1, 'Ada', 'admin')", [userId]);
  await client.query(
    `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at)
     values ($1, $2, '{pwd,otp}', now(), now(), now(), now() + interval '30 days')`,
    [sessionId, userId],
  );
  await client.end();
  const claims = { userId, sessionId, authenticatedAt: now, authMethods: ["pwd", "otp"] };
  return issueAccessToken(env(), claims, now);
}

async function run(
  line: string,
  more: Record<string, string> = {},
): Promise<{ status: number; out: string }> {
  const bundled = line.replace("npm run ops --", `node ${await opsBundle()}`);
  return new Promise((resolve) => {
    const options = { env: { ...given, ...more }, timeout: 60_000 };
    execFile("bash", ["-c", bundled], options, (error, stdout, stderr) => {
      const status = typeof error?.code === "number" ? error.code : error ? 255 : 0;
      resolve({ status, out: `${stdout}\n${stderr}` });
    });
  });
}

/** What `health` of the page prints of Postgres; a result is cached for 5 s. */
const healthSays = (pattern: RegExp) =>
  vi.waitFor(async () => expect((await run(command("ops -- health"))).out).toMatch(pattern), {
    timeout: 40_000,
    interval: 500,
  });
const healthy = () => healthSays(/pass +postgres:responseTime/);
const dbStatus = () => run(command("db status"));
const pidsOfApp = async () =>
  (
    await server.sql(
      "select pid from pg_stat_activity where usename = 'app' and backend_type = 'client backend'",
    )
  ).map(({ pid }) => pid);
const endConnections = () =>
  server.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
/** A request of a learner that needs Postgres. */
const signIn = () =>
  fetch(`${given.OPS_URL}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "a@example.com", password: "wrong password" }),
  });

describe("the runbook of a lost database connection", () => {
  it("has the five steps of the operations guide", () => {
    for (const step of [
      "1. The status",
      "2. The network",
      "3. Restart the connection pool",
      "4. Only if",
      "5. Root cause",
    ]) {
      expect(page).toContain(step);
    }
  });

  it("shows a server without problems", async () => {
    await healthy();
    const { status, out } = await dbStatus();
    expect(out).toContain("read-write");
    expect(out).not.toContain("PROBLEM");
    expect(status).toBe(0);
  });

  it("shows a stopped server, and needs no action when it is back", async () => {
    await server.stop("immediate");
    await healthSays(/fail +postgres:responseTime +unreachable/);
    const reply = await signIn();
    expect(reply.status).toBe(503);
    expect(reply.headers.get("retry-after")).not.toBeNull();
    expect(await reply.json()).toMatchObject({ code: "service_unavailable" });
    expect((await dbStatus()).status).toBe(1);
    const { out } = await run(command("pg_isready"), { DATABASE_URL: server.url });
    expect(out).toContain("no response");
    await server.start();
    await healthy();
    expect((await signIn()).status).toBe(401);
  }, 120_000);

  it("shows a cut network, while the server itself is well", async () => {
    proxy.cut();
    await healthSays(/fail +postgres:responseTime +unreachable/);
    expect((await run(command("pg_isready"))).out).toContain("no response");
    const direct = await run(command("pg_isready"), { DATABASE_URL: server.url });
    expect(direct.out).toContain("accepting connections");
    proxy.restore();
    await healthy();
  }, 120_000);

  it("shows too many connections, and ends those idle in a transaction", async () => {
    const idle: pg.Client[] = [];
    await endConnections();
    for (;;) {
      const client = new pg.Client({ connectionString: proxy.url });
      client.on("error", () => {});
      if (
        !(await client.connect().then(
          () => true,
          () => false,
        ))
      )
        break;
      idle.push(client);
      await client.query("begin");
    }
    expect(idle.length).toBeGreaterThan(10);
    await healthSays(/fail +postgres:responseTime +too many connections/);
    const line = command("idle in transaction").replace("5 minutes", "0 seconds");
    expect((await run(line)).status).not.toBe(0);
    const { status, out } = await run(line, { DATABASE_URL: server.url });
    expect([status, out]).toEqual([0, expect.stringContaining(`(${idle.length} rows)`)]);
    await healthy();
  }, 120_000);

  it("shows a changed password", async () => {
    await server.sql("alter role app password 'second'");
    await endConnections();
    await healthSays(/fail +postgres:responseTime +DATABASE_URL is refused/);
    expect((await run(command("psql"))).out).toContain("password authentication failed");
    await server.sql("alter role app password 'first'");
    await healthy();
  }, 120_000);

  it("shows a read-only server", async () => {
    await server.sql("alter system set default_transaction_read_only = on");
    await server.sql("select pg_reload_conf()");
    await healthSays(/fail +postgres:responseTime +read-only/);
    const { status, out } = await dbStatus();
    expect(out).toContain("PROBLEM: the server is read-only");
    expect(status).toBe(1);
    await server.sql("begin read write; commit");
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query("set default_transaction_read_only = off");
    await client.query("alter system reset default_transaction_read_only");
    await client.query("select pg_reload_conf()");
    await client.end();
    await healthy();
  }, 120_000);

  it("shows who holds a lock", async () => {
    const clients = [1, 2].map(() => new pg.Client({ connectionString: proxy.url }));
    const [holder, waiter] = clients as [pg.Client, pg.Client];
    await Promise.all(clients.map((client) => client.connect()));
    await holder.query("begin; lock table flags");
    const [{ pid }] = (await holder.query("select pg_backend_pid() as pid")).rows;
    const waiting = waiter.query("select * from flags");
    await vi.waitFor(async () => expect((await dbStatus()).out).toMatch(`[${pid}]`), {
      timeout: 20_000,
    });
    await holder.query("rollback");
    await waiting;
    await Promise.all(clients.map((client) => client.end()));
  }, 60_000);

  it("replaces the connections of every instance, and ends no statement", async () => {
    const tick = (at: number) =>
      fetch(`${instances[at]?.url}/api/cron/tick`, {
        headers: { authorization: `Bearer ${cronSecret}` },
      });
    for (const at of [0, 1]) await tick(at);
    const before = await pidsOfApp();
    expect(before.length).toBeGreaterThan(1);
    const dry = await run(command("db reconnect --dry-run"));
    expect([dry.status, dry.out]).toEqual([0, expect.stringContaining("Would replace")]);
    expect(await pidsOfApp()).toEqual(expect.arrayContaining(before.slice(0, 1)));
    const requests = Promise.all(Array.from({ length: 5 }, signIn));
    const { status, out } = await run(command("db reconnect --reason"));
    expect([status, out]).toEqual([0, expect.stringMatching(/replaced \d+ connections/)]);
    for (const { status } of await requests) expect(status).not.toBe(503);
    // The idle ones of the other instance are closed with its next tick; those in use, after their statement.
    await vi.waitFor(
      async () => {
        for (const at of [0, 1]) await tick(at);
        const now = await pidsOfApp();
        expect(before.filter((pid) => now.includes(pid))).toEqual([]);
      },
      { timeout: 45_000, interval: 500 },
    );
    for (const instance of instances) expect(instance.output()).toContain("postgres_reconnected");
    const audited = await serverSql("select reason from audit_log where action = 'db.reconnected'");
    expect(audited).toEqual([{ reason: "connections are stale" }]);
  }, 120_000);
});

async function serverSql(text: string) {
  const client = new pg.Client({ connectionString: proxy.url });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}
