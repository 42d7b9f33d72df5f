import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import verification from "../../../api/ops/verification.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { anOperator, breakGlassToken, type OperatorPerson } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const environment = { OPS_TOKEN: breakGlassToken };
useEnvironment(environment);
const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  setEnvironment(environment);
  operator = await anOperator(stores);
});

interface Found {
  control: string;
  name: string;
  status: string;
  detail: string;
}

async function report(changed: Record<string, string> = {}) {
  setEnvironment({ ...environment, ...changed });
  const { status, body } = await call(verification, "GET", { token: operator.token });
  expect(status).toBe(200);
  const findings = body.findings as Found[];
  const of = (name: string) => findings.find((each) => each.name === name);
  return { body, findings, of };
}

const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);

async function aDrill(succeeded: boolean, finishedDaysAgo: number) {
  await stores.sql("delete from restore_drills");
  const at = new Date(Date.now() - finishedDaysAgo * 86_400_000).toISOString();
  await stores.sql(
    `insert into restore_drills (id, started_at, started_by, target_at, step, step_started_at, held_until,
       copy_name, expected, proven_at, rpo_seconds, succeeded, finished_at)
     values ($1, cast($2 as timestamptz) - interval '5 minutes', 'cron', $2, 'delete', $2, $2, 'copy', '{}', $2, 42, $3, $2)`,
    randomUUID(),
    at,
    String(succeeded),
  );
}

async function setGauges(gauges: Record<string, number>) {
  for (const [series, value] of Object.entries(gauges)) {
    await stores.sql(
      "insert into telemetry_gauges values ($1, $2, now()) on conflict (series) do update set value = excluded.value",
      series,
      String(value),
    );
  }
}

describe("GET /api/ops/verification, for an auditor", () => {
  it("says who checked which release, when, and groups the findings by control", async () => {
    const { body, findings } = await report();
    expect(body).toMatchObject({
      release: "development",
      environment: "test",
      checkedBy: { kind: "person", id: operator.user.id },
    });
    expect(Date.parse(body.checkedAt as string)).toBeGreaterThan(0);
    expect([...new Set(findings.map(({ control }) => control))]).toEqual([
      ...["tokens", "access", "keys", "retention", "access_log", "audit_log"],
      ...["backups", "restore_drills", "deployments", "stores"],
    ]);
    expect(findings.filter(({ status }) => status === "fail")).toEqual([]);
  });

  it("shows that tokens of other algorithms are refused, also signed with its own key", async () => {
    expect((await report()).of("JWT algorithm")).toMatchObject({
      status: "pass",
      detail: expect.stringMatching(
        /^signs with HS256; .* none, HS384, HS512 are refused; .* 900 s/,
      ),
    });
  });

  it.each([
    ["audit_log is kept", "90 days; at least 90 days are required", { AUDIT_RETENTION_DAYS: "60" }],
    ["access_log is kept", "365 days; at least 365 days", { ACCESS_LOG_RETENTION_DAYS: "364" }],
  ])("fails when %s for too short a time", async (name, detail, changed) => {
    const inForce = (await report()).of(name);
    expect(inForce).toMatchObject({ status: "pass", detail: expect.stringContaining(detail) });
    expect((await report(changed)).of(name)).toMatchObject({ status: "fail" });
  });

  it("lists the age of every other class, with the security events", async () => {
    const { of } = await report();
    expect(of("security_events is kept")).toMatchObject({ status: "pass", detail: "30 days" });
    expect(of("other classes are kept")?.detail).toMatch(/sessions 90 days, .*mail_codes 1 h/);
  });

  it("fails when days of the access log are missing, at its begin or between", async () => {
    const name = "access log";
    expect((await report()).of(name)).toMatchObject({
      status: "pass",
      detail: `oldest day ${day(0)}, 1 days to today, the log exists since ${day(0)}`,
    });
    await stores.sql(
      "update schema_migrations set applied_at = now() - interval '3 days' where name like '0008%'",
    );
    expect((await report()).of(name)).toMatchObject({
      status: "fail",
      detail: expect.stringContaining(`the days from ${day(3)} to ${day(0)} are missing`),
    });
    const partition = `access_log_${day(3).replaceAll("-", "")}`;
    await stores.sql(
      `create table ${partition} partition of access_log for values from ('${day(3)}Z') to ('${day(2)}Z')`,
    );
    expect((await report()).of(name)).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(/2 days to today, .*; 2 days between are missing$/),
    });
    await stores.sql(`drop table ${partition}`);
    await stores.sql("update schema_migrations set applied_at = now() where name like '0008%'");
  });

  it("warns about backups that were never checked, and fails for each failed or old check", async () => {
    expect((await report()).of("last backup check")).toMatchObject({ status: "warn" });
    const elsewhere = (await report({ BACKUP_URL: "file:///backups" })).of("last backup check");
    expect(elsewhere?.detail).toContain("`npm run backup -- run`");
    const now = Math.floor(Date.now() / 1000);
    await setGauges({
      backup_last_check_timestamp_seconds: now - 60,
      'backup_unsafe{check="daily_schedule"}': 0,
      'backup_unsafe{check="newest_snapshot"}': 1,
      backup_newest_snapshot_timestamp_seconds: now - 27 * 3600,
      'backup_unsafe{check="last_drill"}': 0,
      backup_last_drill_success_timestamp_seconds: now - 3600,
    });
    const time = (seconds: number) => new Date(seconds * 1000).toISOString();
    const { of } = await report();
    expect(of("last backup check")).toMatchObject({ status: "pass" });
    expect(of("backup: daily_schedule")).toMatchObject({ status: "pass" });
    expect(of("backup: newest_snapshot")).toMatchObject({
      status: "fail",
      detail: `FAILED at ${time(now - 60)}: the newest is of ${time(now - 27 * 3600)}`,
    });
    expect(of("backup: last_drill")?.detail).toBe(
      `passed: the last success was at ${time(now - 3600)}`,
    );
    expect(of("backup: pitr_window")).toBeUndefined();
    await setGauges({ backup_last_check_timestamp_seconds: now - 27 * 3600 });
    expect((await report()).of("last backup check")).toMatchObject({ status: "fail" });
    await stores.sql("delete from telemetry_gauges");
  });

  it("shows when the last restore drill was and its RTO and RPO, and fails for a failed or old one", async () => {
    const name = "last restore drill";
    expect((await report()).of(name)).toMatchObject({ status: "warn" });
    await aDrill(true, 3);
    expect((await report()).of(name)).toMatchObject({
      status: "pass",
      detail: expect.stringContaining("RTO 300 s, RPO 42 s"),
    });
    await aDrill(true, 36);
    expect((await report()).of(name)).toMatchObject({ status: "fail" });
    await aDrill(false, 3);
    expect((await report()).of(name)).toMatchObject({ status: "fail" });
    await stores.sql("delete from restore_drills");
  });

  it("shows the live release and the last deployments", async () => {
    expect((await report()).of("live release")).toMatchObject({ status: "warn" });
    await stores.sql(
      "insert into deployments (id, platform, sha, version, reason) values ('dpl_1', 'vercel', repeat('ab', 20), '1.2.3', 'a secret reason')",
    );
    await stores.sql(
      "insert into deployment_events (deployment_id, kind, at, source) values ('dpl_1', 'live', now(), 'webhook')",
    );
    const { of, body } = await report();
    expect(of("live release")).toMatchObject({
      status: "pass",
      detail: expect.stringMatching(/^1\.2\.3 \(abababababab\) on vercel, live since 2/),
    });
    expect(of("deployments logged")?.detail).toContain("1.2.3 (abababababab) live 2");
    expect(JSON.stringify(body)).not.toContain("a secret reason");
    await stores.sql("delete from deployment_events");
    await stores.sql("delete from deployments");
  });

  it("counts operators with a second factor and names none", async () => {
    const name = "operators with a second factor";
    const { of, body } = await report();
    expect(of(name)).toMatchObject({ status: "pass", detail: expect.stringMatching(/^1 of 1 /) });
    expect(JSON.stringify(body)).not.toContain("@");
    expect(JSON.stringify(body)).not.toContain(breakGlassToken);
    const other = await anOperator(stores);
    await stores.sql("delete from second_factors where user_id = $1", other.user.id);
    expect((await report()).of(name)).toMatchObject({
      status: "warn",
      detail: expect.stringMatching(/^1 of 2 /),
    });
    await stores.sql("update users set role = 'user' where id = $1", other.user.id);
  });

  it("shows since when the data key is in use, as the seals tell", async () => {
    const name = "data key";
    const key = { DATA_KEY: "k3Yq9vUu0w1Hc7m2nB5xT8zR4sE6dF1gJ0lQaWpOiZs=" };
    expect((await report()).of(name)).toMatchObject({ status: "warn" });
    expect((await report(key)).of(name)).toMatchObject({
      status: "pass",
      detail: expect.stringContaining("age unknown, nothing is sealed yet"),
    });
    await stores.sql(
      "insert into audit_seals values (1, 1, 1, 'h', 'genesis', 'x', 'another', '2026-01-31T08:00:00Z')",
    );
    expect((await report(key)).of(name)?.detail).toContain(
      "since the seals after 2026-01-31T08:00",
    );
  });

  it("fails for controls that are unknown because Postgres refuses to answer for them", async () => {
    await stores.sql("alter table telemetry_gauges rename to telemetry_gauges_away");
    const { of } = await report();
    await stores.sql("alter table telemetry_gauges_away rename to telemetry_gauges");
    for (const name of ["access log", "backups", "data key"]) {
      expect(of(name), name).toMatchObject({ status: "fail" });
    }
    expect(of("JWT algorithm")).toMatchObject({ status: "pass" });
  });
});
