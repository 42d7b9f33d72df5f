import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import tick from "../../../api/cron/tick.js";
import crons from "../../../api/ops/crons/index.js";
import db from "../../../api/ops/db/index.js";
import slow from "../../../api/ops/db/slow.js";
import drain from "../../../api/ops/drain.js";
import health from "../../../api/ops/health.js";
import rebuild from "../../../api/ops/redis/rebuild.js";
import verification from "../../../api/ops/verification.js";
import user from "../../../api/user/index.js";
import { migrationHead } from "../../../lib/db/migration-head.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import {
  anOperator,
  breakGlassToken,
  demoteOperators,
  type OperatorPerson,
  operate,
} from "../../support/operators.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";
import { useToolkit } from "../../support/toolkit.js";

const cronSecret = "cron-secret-of-the-tests";
const environment = { OPS_TOKEN: breakGlassToken, CRON_SECRET: cronSecret };
useEnvironment(environment);
const stores = useStores();
const toolkit = useToolkit();
let operator: OperatorPerson;
beforeAll(async () => {
  setEnvironment(environment);
  operator = await anOperator(stores);
});

interface Finding {
  name: string;
  status: string;
  detail: string;
}
async function findingsOf(
  route: Parameters<typeof call>[0],
  token = operator.token,
  variables: Record<string, string> = {},
) {
  setEnvironment({ ...environment, EXPO_PUBLIC_TOOLKIT_URL: toolkit.url, ...variables });
  const { status, body } = await call(route, "GET", { token });
  expect(status).toBe(200);
  const findings = body.findings as Finding[];
  return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
}

describe("GET /api/ops/health", () => {
  it("reports the state of background work, also to the break-glass token", async () => {
    await stores.sql("update schema_migrations set applied_at = now() - interval '1 day'");
    const [yesterday, today] = [1, 0].map((ago) =>
      new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10),
    );
    await stores.sql(
      `create table access_log_${yesterday?.replaceAll("-", "")} partition of access_log
       for values from ('${yesterday}Z') to ('${today}Z')`,
    );
    const before = await findingsOf(health, breakGlassToken);
    expect(before["cron jobs"]).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/tick never succeeded, due since .*cleanup never succeeded/),
    });
    for (const path of ["tick", "cleanup"]) {
      const route = path === "tick" ? tick : (await import("../../../api/cron/cleanup.js")).default;
      expect((await call(route, "GET", { token: cronSecret })).status).toBe(200);
    }
    const after = await findingsOf(health);
    for (const name of ["cron jobs", "drain", "migrations", "partitions ahead", "jobs", "outbox"]) {
      expect(after[name], name).toMatchObject({ status: "pass" });
    }
    expect(after["postgres:responseTime"]).toMatchObject({ status: "pass" });
  });

  it("says that a restore has lost batches, and how to start the backup process", async () => {
    await stores.sql(
      "insert into drained_batches (instance, seq, events) values ('i', 1, 1), ('i', 4, 1)",
    );
    const drainText = async () => (await findingsOf(health)).drain?.detail;
    expect(await drainText()).toMatch(/, 2 batches lost in the last two days$/);
    await stores.sql("update security_settings set restore_finished_at = '2026-01-02T03:04:05Z'");
    expect(await drainText()).toMatch(/ days$/);
    await stores.sql("update security_settings set restore_finished_at = now() - interval '1 day'");
    expect(await drainText()).toMatch(
      /, 2 batches lost .*; the restore that ended at \S+Z lost those that were drained after its backup$/,
    );
    await stores.sql("update security_settings set restore_finished_at = 'epoch'");
    await stores.sql("delete from drained_batches where instance = 'i'");
    const selfHosted = { BACKUP_URL: "file:///backups" };
    const { backups } = await findingsOf(health, operator.token, selfHosted);
    expect(backups?.detail).toContain("`npm run backup -- run`");
    expect((await findingsOf(health)).backups?.detail).not.toContain("npm run backup");
  });

  it("says when a cron job is due for the first time, and fails once it is late", async () => {
    const firstCall = (minutesAgo: number) =>
      stores.sql(
        `update telemetry_gauges set value = extract(epoch from now()) - $1 * 60
         where series like 'cron_first_due%cleanup%'`,
        String(minutesAgo),
      );
    await stores.sql("delete from cron_leases where job = 'cleanup'");
    await firstCall(0);
    const today = new Date().toISOString().slice(0, 10);
    const { status, detail } = (await findingsOf(health))["cron jobs"] ?? {};
    expect(status).toBe("pass");
    expect(detail).toMatch(
      /^cleanup is due at (2[\d-]{9} )?\d\d:07 UTC, backup-check is due at (2[\d-]{9} )?\d\d:23 UTC, /,
    );
    expect(detail).not.toContain(today);
    for (const { job, dueAt } of (await call(crons, "GET", { token: operator.token })).body.crons) {
      if (dueAt && !dueAt.startsWith(today)) {
        expect(detail).toContain(
          `${job} is due at ${dueAt.slice(0, 10)} ${dueAt.slice(11, 16)} UTC`,
        );
      }
    }
    await firstCall(4 * 60);
    expect((await findingsOf(health))["cron jobs"]).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/^cleanup never succeeded, due since .*:07:00\.000Z, /),
    });
  });

  it("reports each failing check", async () => {
    await stores.sql(
      `insert into queue_entries (id, kind, key, payload, correlation_id, dead_at)
       values (gen_random_uuid(), 'x', 'x', '{}', 'c', now())`,
    );
    await stores.sql(
      `insert into queue_entries (id, kind, payload, correlation_id, created_at, expires_at, run_after, dead_at)
       values (gen_random_uuid(), 'mail', '{}', 'c', now(), now() + interval '1 day', now(), now())`,
    );
    expect((await findingsOf(health)).outbox).toMatchObject({
      status: "pass",
      detail: expect.stringContaining("failed: 1"),
    });
    await stores.sql(
      `insert into queue_entries (id, kind, payload, correlation_id, expires_at, run_after, attempts, last_error)
       values (gen_random_uuid(), 'mail', '{}', 'retried', now() + interval '1 day', now() + interval '1 hour', 2,
         'network')`,
    );
    expect((await findingsOf(health)).outbox).toMatchObject({ status: "pass" });
    await stores.sql("update queue_entries set attempts = 3 where correlation_id = 'retried'");
    expect((await findingsOf(health)).outbox).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("1 keep failing (network)"),
    });
    await stores.sql("delete from queue_entries where correlation_id = 'retried'");
    await stores.sql("update queue_entries set kind = 'notice'");
    await stores.sql("update drain_state set drained_until = now() - interval '10 minutes'");
    await stores.sql("update schema_migrations set name = 'x' where name = $1", migrationHead);
    await stores.sql(
      "insert into telemetry_gauges values ('audit_chain_broken', 1, now()) on conflict (series) do update set value = 1",
    );
    const findings = await findingsOf(health);
    expect(findings.jobs).toMatchObject({ status: "warn", detail: "dead letters: 1" });
    expect(findings.outbox).toMatchObject({ status: "warn" });
    expect(findings.drain).toMatchObject({ status: "fail" });
    expect(findings["audit log"]).toMatchObject({ status: "fail", detail: "BROKEN" });
    await stores.sql("update schema_migrations set name = $1 where name = 'x'", migrationHead);
    await stores.sql("delete from queue_entries");
  });

  it("reports the state of the toolkit's breaker and its start", async () => {
    const breaker = async () => (await findingsOf(health))["toolkit breaker"];
    const now = Date.now();
    const at = (ms: number) => new Date(ms).toISOString();
    const set = (field: string) => stores.redis("HSET", "gate", "breaker:toolkit", field);
    await stores.redis("HDEL", "gate", "breaker:toolkit");
    expect(await breaker()).toMatchObject({ status: "pass", detail: "closed" });
    await set("closed:2:0");
    expect(await breaker()).toMatchObject({ status: "pass", detail: "closed" });
    await set(`open:3:${now + 60_000}`);
    await stores.redis("HSET", "breaker:toolkit", "openedAt", String(now - 30_000));
    expect(await breaker()).toMatchObject({
      status: "warn",
      detail: `open, first opened at ${at(now - 30_000)}`,
    });
    await set(`open:3:${now - 5000}`);
    expect(await breaker()).toMatchObject({
      status: "warn",
      detail: `half-open since ${at(now - 5000)}, first opened at ${at(now - 30_000)}`,
    });
    await stores.redis("DEL", "breaker:toolkit");
    expect(await breaker()).toMatchObject({
      status: "warn",
      detail: `half-open since ${at(now - 5000)}`,
    });
    await set("forced_open:4:0");
    expect(await breaker()).toMatchObject({
      status: "warn",
      detail: "forced open by an operator",
    });
    await set("forced_closed:5:0");
    expect(await breaker()).toMatchObject({
      status: "warn",
      detail: "forced closed by an operator",
    });
    await stores.redis("HDEL", "gate", "breaker:toolkit");
  });

  it("warns in production when a channel of alerts has no destination", async () => {
    const alerts = async (variables: Record<string, string>) => {
      // Production refuses a short one.
      const token = "a-break-glass-token-of-32-bytes-or-more";
      setEnvironment({ ...environment, OPS_TOKEN: token, ...variables });
      const { status, body } = await call(health, "GET", { token });
      expect(status).toBe(200);
      return (body.findings as Finding[]).find(({ name }) => name === "alerts");
    };
    const pager = { PAGERDUTY_ROUTING_KEY: "f".repeat(32) };
    const team = { ALERT_WEBHOOK_URL: "https://hooks.example.com/team" };
    const production = { NODE_ENV: "production" };
    expect(await alerts(production)).toMatchObject({
      status: "warn",
      detail:
        "none firing; no destination configured for page, team, investigate: set PAGERDUTY_ROUTING_KEY or ALERT_WEBHOOK_URL",
    });
    expect(await alerts({ ...production, ...pager })).toMatchObject({
      status: "warn",
      detail: expect.stringMatching(/no destination configured for investigate: set ALERT_/),
    });
    for (const variables of [{ ...production, ...team }, { NODE_ENV: "development" }, {}]) {
      expect(await alerts(variables)).toMatchObject({ status: "pass", detail: "none firing" });
    }
  });

  it("warns in production when no mail can be sent", async () => {
    const mail = async (variables: Record<string, string>) => {
      const token = "a-break-glass-token-of-32-bytes-or-more";
      setEnvironment({ ...environment, OPS_TOKEN: token, ...variables });
      const { body } = await call(health, "GET", { token });
      return (body.findings as Finding[]).find(({ name }) => name === "mail");
    };
    const production = { NODE_ENV: "production" };
    expect(await mail(production)).toMatchObject({
      status: "warn",
      detail: "no mail is sent: set RESEND_API_KEY on the server and deploy",
    });
    for (const variables of [{ ...production, RESEND_API_KEY: "re_a_key" }, {}]) {
      expect(await mail(variables)).toMatchObject({ status: "pass" });
    }
  });

  it("warns while there is no operator, and counts them without a name", async () => {
    await demoteOperators(stores);
    const operators = async () => (await findingsOf(health, breakGlassToken)).operators;
    expect(await operators()).toMatchObject({
      status: "warn",
      detail: "none: `operator enrol` makes the first admin",
    });
    await stores.sql("update users set role = 'operator' where id = $1", operator.user.id);
    await anOperator(stores, "admin");
    expect(await operators()).toMatchObject({ status: "pass", detail: "2, of them admins: 1" });
  });

  it("names the store that refused, here and in verify, which fails", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    const own = await findingsOf(health, breakGlassToken);
    const verified = await findingsOf(verification);
    await stores.faults.postgres.set(null);
    const detail = "unknown: Postgres did not answer, or refused";
    expect(own.jobs).toEqual({ name: "jobs", status: "warn", detail });
    expect(verified["due deletions"]).toMatchObject({ status: "fail", detail });
    expect(verified["JWT algorithm"]).toMatchObject({ status: "pass" });
  });

  it("does not report an unreadable breaker as closed", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    const findings = await findingsOf(health, breakGlassToken);
    expect(findings["toolkit breaker"]).toMatchObject({
      status: "warn",
      detail: expect.stringContaining("store did not answer"),
    });
  });

  it("uses the newest migration", () => {
    const names = readdirSync("drizzle").filter((name) => /^\d{4}_.*(?<!\.down)\.sql$/.test(name));
    expect(migrationHead).toBe(
      names
        .sort()
        .at(-1)
        ?.replace(/\.sql$/, ""),
    );
  });
});

/** More sessions of the same person, each with these columns in place of the session's own. */
async function copySession(id: string, count: number, columns: Record<string, string>) {
  const { idle_expires_at = "s.idle_expires_at", expires_at = "s.expires_at" } = columns;
  const { created_at = "s.created_at" } = columns;
  await stores.sql(
    `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at,
       idle_expires_at, expires_at)
     select 'copy-' || gen_random_uuid(), user_id, auth_methods, authenticated_at, ${created_at},
       last_seen_at, ${idle_expires_at}, ${expires_at}
     from sessions s, generate_series(1, ${count}) where s.id = $1`,
    id,
  );
}

describe("GET /api/ops/verification", () => {
  it("reports every invariant as passing, and each violated one as failed", async () => {
    await operate(rebuild, "POST", operator.token, {});
    const initial = await findingsOf(verification);
    expect(Object.values(initial).filter(({ status }) => status === "fail")).toEqual([]);
    await stores.redis("SADD", "blocks", "203.0.113.0/24");
    await stores.redis("HSET", "gate", "flags", "{}");
    await stores.sql(
      "insert into telemetry_minutes values (now(), 'telemetry_events_total', 1000000)",
    );
    const broken = await findingsOf(verification);
    for (const name of ["blocks in Redis", "flags in Redis", "metric totals"]) {
      expect(broken[name], name).toMatchObject({ status: "fail" });
    }
    await stores.sql("delete from telemetry_minutes where value = 1000000");
  });

  it("counts only live sessions of a user", async () => {
    const person = await aUser();
    const name = "sessions per user";
    const before = (column: string) => `s.${column} - interval '100 years'`;
    // Sessions that ended by idle timeout, by age, or with all others, without an update of their row.
    for (const ended of ["idle_expires_at", "expires_at", "created_at"]) {
      await copySession(person.sessionId, 11, { [ended]: before(ended) });
    }
    expect((await findingsOf(verification))[name]).toMatchObject({ status: "pass" });
    await copySession(person.sessionId, 11, {});
    expect((await findingsOf(verification))[name]).toMatchObject({
      status: "fail",
      detail: "users with more than 10 live sessions: 1",
    });
    await stores.sql("delete from sessions where id like 'copy-%'");
  });

  it("fails for checks it cannot run, and runs the others", async () => {
    await stores.faults.redis.set({ kind: "refuse" });
    const found = await findingsOf(verification);
    expect(found["flags in Redis"]).toMatchObject({ status: "fail" });
    expect(found["one confirmed account per e-mail address"]).toMatchObject({ status: "pass" });
  });
});

describe("POST /api/ops/redis/rebuild", () => {
  it("restores the data that requests read, without changing sessions", async () => {
    const person = await aUser();
    await stores.redis("FLUSHDB");
    const { body } = await operate(rebuild, "POST", operator.token, {});
    expect(body.done).toContain("Wrote the flags");
    expect(await stores.redis("HGET", "gate", "flags")).toContain('"off":[]');
    expect((await call(user, "GET", { token: person.accessToken })).status).toBe(200);
    expect(await stores.sql("select from audit_log where action = 'redis.rebuilt'")).not.toEqual(
      [],
    );
  });

  it("returns 503 that names Redis while it does not answer, without an audit row", async () => {
    const rows = () =>
      stores.sql("select from audit_log where action in ('redis.rebuilt', 'events.drained')");
    const before = await rows();
    for (const fault of [{ kind: "refuse" }, { kind: "reset" }] as const) {
      await stores.faults.redis.set(fault);
      for (const work of [rebuild, drain]) {
        const answer = await operate(work, "POST", operator.token, {});
        expect(answer).toMatchObject({ status: 503, code: "redis_unavailable" });
        expect(answer.body.detail).toContain("Redis");
        expect(answer.headers.get("retry-after")).toBe("5");
      }
    }
    await stores.faults.redis.set(null);
    expect(await rows()).toEqual(before);
  });

  it("names Postgres, not Redis, as the cause when Postgres is down", async () => {
    await stores.faults.postgres.set({ kind: "reset" });
    const answer = await operate(rebuild, "POST", operator.token, {});
    await stores.faults.postgres.set(null);
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
  });
});

describe("GET /api/ops/db", () => {
  it("returns size, connections and slow statements without values", async () => {
    const state = await call(db, "GET", { token: operator.token });
    expect(state.body.tables.length).toBeGreaterThan(5);
    expect(state.body.connectionsMax).toBeGreaterThan(0);
    expect(state.body).toMatchObject({
      isReadOnly: false,
      lockWaits: [],
      replicas: [],
      bloated: [],
    });
    const statements = await call(slow, "GET", { token: operator.token });
    expect(["running", "pg_stat_statements"]).toContain(statements.body.source);
  });
});
