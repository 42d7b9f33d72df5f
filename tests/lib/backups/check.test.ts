import { describe, expect, it } from "vitest";
import backupCheck from "../../../api/cron/backup-check.js";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { checkBackups } from "../../../lib/backups/check.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { setEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { type NeonWorld, neonEnvironment, useNeon } from "../../support/neon-api.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useNeon(stores);
const lines = useLogLines();

const failed = async () =>
  (await checkBackups(aContext())).findings.filter(({ passed }) => !passed);
const gauges = async () =>
  Object.fromEntries(
    (
      await stores.sql(
        "select series, value::numeric from telemetry_gauges where starts_with(series, 'backup_')",
      )
    ).map(({ series, value }) => [series, Number(value)]),
  );
const day = 86_400;
const hourMs = 3_600_000;

interface Break {
  name: string;
  breaks(world: NeonWorld): Promise<unknown> | unknown;
  check: string;
  says: string;
}

const breaks: Break[] = [
  {
    name: "no daily schedule",
    breaks: ({ neon }) => Object.assign(neon.state.schedule[0] ?? {}, { frequency: "weekly" }),
    check: "daily_schedule",
    says: "there is no daily schedule",
  },
  {
    name: "a retention under 30 days",
    breaks: ({ neon }) =>
      Object.assign(neon.state.schedule[0] ?? {}, { retention_seconds: 30 * day - 1 }),
    check: "daily_schedule",
    says: "kept for 29.9 days; at least 30",
  },
  {
    name: "a newest snapshot older than 26 h",
    breaks: ({ neon }) => {
      Object.assign(neon.state.snapshots[0] ?? {}, {
        created_at: new Date(Date.now() - 26 * hourMs - 1000).toISOString(),
      });
    },
    check: "newest_snapshot",
    says: "26 h old; at most 26",
  },
  {
    name: "a day without a snapshot",
    breaks: ({ neon }) => neon.state.snapshots.splice(10, 1),
    check: "days_covered",
    says: "29 of the last 30 days are covered: 1 since the schedule was set are missing",
  },
  {
    name: "a window of recovery under 7 days",
    breaks: ({ neon }) => {
      neon.state.historySeconds = 7 * day - 1;
    },
    check: "pitr_window",
    says: "any time of the last 6.9 days; at least 7",
  },
  {
    name: "a branch that is not ready",
    breaks: ({ neon }) => {
      for (const branch of neon.state.branches.values()) branch.state = "archived";
    },
    check: "branch_ready",
    says: "the branch is archived",
  },
  {
    name: "NEON_BRANCH_ID of another branch than that of DATABASE_URL, as after a restore",
    breaks: ({ neon }) => {
      // The compute of the live database now belongs to another branch.
      const old = neon.state.branches.get(neon.branchId);
      if (!old) throw new Error("There is no branch.");
      const restored = { ...old, id: "br-restored-1", name: "restored", isDefault: false };
      neon.state.branches.set(restored.id, restored);
      old.endpointId = "ep-old-1";
    },
    check: "configured",
    says: "DATABASE_URL reaches the branch br-restored-1, not NEON_BRANCH_ID",
  },
  {
    name: "a DATABASE_URL that is no endpoint of the project",
    breaks: () => {
      setEnvironment({
        ...neonEnvironment(world.neon),
        DATABASE_URL: "postgresql://linguamate:live@ep-other-1.stand-in.neon.tech/linguamate",
      });
    },
    check: "configured",
    says: "no endpoint of NEON_PROJECT_ID is that of DATABASE_URL",
  },
  {
    name: "a live branch that Neon deletes at a time",
    breaks: ({ neon }) => {
      const [live] = neon.state.branches.values();
      Object.assign(live ?? {}, { expiresAt: "2030-01-02T03:04:05Z" });
    },
    check: "branch_ready",
    says: "the branch is ready, but Neon deletes it at 2030-01-02T03:04:05.000Z",
  },
  {
    name: "a last successful drill over 35 days ago",
    breaks: () =>
      stores.sql("update restore_drills set finished_at = now() - interval '35 days 1 minute'"),
    check: "last_drill",
    says: "the last success is 35 days old; at most 35",
  },
  {
    name: "no successful drill",
    breaks: () => stores.sql("update restore_drills set succeeded = false"),
    check: "last_drill",
    says: "no restore drill has succeeded",
  },
];

/** The labels of the firing alerts after an evaluation of the next minute. */
async function firing() {
  await stores.sql(
    "update alert_clock set sampled_until = date_trunc('minute', now() - interval '2 minutes')",
  );
  await stores.sql("delete from alert_samples");
  await stores.sql("update alerts set known_minute = known_minute - interval '10 minutes'");
  await evaluateAlerts(aContext());
  const rows = await stores.sql(
    "select label from alerts where rule = 'BackupUnsafe' and state = 'firing'",
  );
  return rows.map(({ label }) => label);
}

describe("checkBackups", () => {
  it("passes, and sets a gauge of each fact", async () => {
    expect(await failed()).toEqual([]);
    expect(await gauges()).toMatchObject({
      'backup_unsafe{check="newest_snapshot"}': 0,
      backup_schedule_retention_seconds: 30 * day,
      backup_daily_snapshots: 30,
      backup_pitr_window_seconds: 7 * day,
      backup_branch_ready: 1,
    });
    const { headers } = world.neon.calls[0] ?? {};
    expect(headers).toMatchObject({
      authorization: `Bearer ${world.neon.apiKey}`,
      "x-request-id": expect.stringMatching(/^[\da-f-]{36}$/),
    });
  });

  it("covers no day without a snapshot", async () => {
    world.neon.state.snapshots.splice(0);
    expect((await failed()).find(({ check }) => check === "days_covered")).toMatchObject({
      detail: "0 of the last 30 days are covered",
    });
  });

  it.each(breaks)("fails only its own check for $name, and the alert resolves", async (broken) => {
    const { check } = broken;
    await broken.breaks(world);
    expect(await failed()).toEqual([
      { check, passed: false, detail: expect.stringContaining(broken.says) },
    ]);
    expect(await firing()).toEqual([check]);
    expect(lines.read("backup_check_failed")).toHaveLength(1);
    await stores.sql(
      "update telemetry_gauges set value = 0 where starts_with(series, 'backup_unsafe')",
    );
    expect(await firing()).toEqual([]);
  });

  it("counts days only since the schedule was first seen", async () => {
    await stores.sql("delete from telemetry_gauges");
    world.neon.state.snapshots.splice(1);
    expect(await failed()).toEqual([]);
    expect((await gauges()).backup_daily_snapshots).toBe(1);
  });

  it.each([
    "postgresql://linguamate:live@ep-main-000001-pooler.stand-in.neon.tech/linguamate",
    "postgresql://linguamate:live@ep-main-000001.stand-in.neon.tech:5432/linguamate",
  ])("knows the branch by its host, with a pooler or a port (%s)", async (databaseUrl) => {
    setEnvironment({ ...neonEnvironment(world.neon), DATABASE_URL: databaseUrl });
    expect(await failed()).toEqual([]);
  });

  it("ignores snapshots that have expired, though Neon still lists them", async () => {
    for (const each of world.neon.state.snapshots) each.expires_at = "2020-01-01T00:00:00Z";
    expect((await failed()).map(({ check }) => check)).toEqual(["newest_snapshot", "days_covered"]);
  });

  it("ignores snapshots of other branches", async () => {
    for (const each of world.neon.state.snapshots) each.source_branch_id = "br-other-1";
    expect((await failed()).map(({ check }) => check)).toEqual(["newest_snapshot", "days_covered"]);
  });

  it("repeats a call that Neon refuses while it is busy", async () => {
    for (const status of [423, 503]) {
      world.neon.fail({ kind: "status", status, operationId: "getProject", times: 1 });
      expect(await failed()).toEqual([]);
    }
    expect(lines.read("external_retry")).toHaveLength(2);
  });

  it("says what could not be read, and why", async () => {
    world.neon.fail({ kind: "status", status: 401, operationId: "getProject" });
    expect(await failed()).toEqual([
      {
        check: "pitr_window",
        passed: false,
        detail: "could not be read: project: Neon refuses NEON_API_KEY (status 401)",
      },
    ]);
  });

  it("is a finding of its own in production without a store, and quiet in development", async () => {
    setEnvironment({});
    expect(await checkBackups(aContext())).toEqual({ isChecked: false, findings: [] });
    const key = "k4Xr9pW2vB7nQ5tM8zC1yL6sF3dH0jGa";
    setEnvironment({ NODE_ENV: "production", JWT_SECRET: key, DATA_KEY: key });
    expect(await failed()).toEqual([
      {
        check: "configured",
        passed: false,
        detail: "no backup store is configured: set NEON_API_KEY, or BACKUP_URL if self-hosted",
      },
    ]);
    expect(await gauges()).toMatchObject({ 'backup_unsafe{check="configured"}': 1 });
  });
});

describe("GET /api/cron/backup-check", () => {
  it("runs the checks once a day; a failed check is no error", async () => {
    await nextSlot(stores);
    world.neon.state.schedule = [];
    const secret = "the-clock-secret-of-the-tests";
    setEnvironment({ ...neonEnvironment(world.neon), CRON_SECRET: secret });
    const first = await call(backupCheck, "GET", { token: secret });
    expect(first).toMatchObject({
      status: 200,
      body: {
        ran: true,
        parts: { check_backups: { outcome: "done", detail: { isChecked: true } } },
      },
    });
    expect((await call(backupCheck, "GET", { token: secret })).body).toMatchObject({ ran: false });
  });

  it("is repeated in the same day until the store answers", async () => {
    await nextSlot(stores);
    const secret = "the-clock-secret-of-the-tests";
    setEnvironment({ ...neonEnvironment(world.neon), CRON_SECRET: secret });
    world.neon.fail({ kind: "status", status: 503 });
    expect(await call(backupCheck, "GET", { token: secret })).toMatchObject({ status: 500 });
    expect(await gauges()).toMatchObject({ 'backup_unsafe{check="newest_snapshot"}': 1 });
    world.neon.fail(null);
    const again = await call(backupCheck, "GET", { token: secret });
    expect(again).toMatchObject({ status: 200, body: { ran: true } });
    expect(await gauges()).toMatchObject({ 'backup_unsafe{check="newest_snapshot"}': 0 });
    expect((await call(backupCheck, "GET", { token: secret })).body).toMatchObject({ ran: false });
  });
});
