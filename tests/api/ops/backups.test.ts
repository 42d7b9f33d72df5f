import { beforeAll, describe, expect, it } from "vitest";
import check from "../../../api/ops/backups/check.js";
import backups from "../../../api/ops/backups/index.js";
import schedule from "../../../api/ops/backups/schedule.js";
import drills from "../../../api/ops/drills/index.js";
import health from "../../../api/ops/health.js";
import { call } from "../../support/call.js";
import { setEnvironment } from "../../support/environment.js";
import { useNeon } from "../../support/neon-api.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useNeon(stores);
let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});
const read = (route: Parameters<typeof call>[0]) => call(route, "GET", { token: operator.token });
const change = (route: Parameters<typeof call>[0], method: "POST" | "PUT", body = {}) =>
  operate(route, method, operator.token, body);
const audits = (action: string) => stores.sql("select * from audit_log where action = $1", action);

describe("/api/ops/backups", () => {
  it("lists the schedule and the snapshots, newest first", async () => {
    const { body } = await read(backups);
    expect(body.schedule).toEqual([
      { frequency: "daily", hour: 2, day: null, month: null, retentionSeconds: 2_592_000 },
    ]);
    expect(body.snapshots).toHaveLength(30);
    expect(body.snapshots[0].at > body.snapshots[29].at).toBe(true);
  });

  it("takes a snapshot that expires, with an audit row", async () => {
    const dry = await change(backups, "POST", { dryRun: true });
    expect(dry.body.done).toMatch(/^Would take the snapshot manual-/);
    expect(world.neon.state.snapshots).toHaveLength(30);
    const { body } = await change(backups, "POST");
    expect(body.done).toMatch(/^Took the snapshot manual-\S+, kept for 30 days\.$/);
    const taken = world.neon.state.snapshots.at(-1);
    expect(taken).toMatchObject({ id: body.detail.id, manual: true });
    const lifeMs = Date.parse(taken?.expires_at ?? "") - Date.parse(taken?.created_at ?? "");
    expect(Math.round(lifeMs / 86_400_000)).toBe(30);
    expect(await audits("backup.snapshot_taken")).toHaveLength(1);
  });

  it("says that no store is configured", async () => {
    setEnvironment({});
    expect((await read(backups)).body).toEqual({
      isConfigured: false,
      schedule: [],
      snapshots: [],
    });
    expect(await change(backups, "POST")).toMatchObject({
      status: 409,
      code: "backups_not_configured",
    });
  });

  it("says what to do instead when the backup process takes them", async () => {
    setEnvironment({ BACKUP_URL: "file:///backups" });
    const replies = [
      await read(backups),
      await change(backups, "POST"),
      await change(schedule, "PUT"),
    ];
    for (const reply of replies) {
      expect(reply).toMatchObject({ status: 409, code: "backups_self_hosted" });
      expect(reply.body.detail).toContain("`npm run backup -- take`");
    }
  });

  it("returns 503 when Neon refuses", async () => {
    world.neon.fail({ kind: "status", status: 400 });
    expect(await read(backups)).toMatchObject({ status: 503, code: "backup_store_unavailable" });
    expect(await change(schedule, "PUT")).toMatchObject({ code: "backup_store_unavailable" });
  });
});

describe("PUT /api/ops/backups/schedule", () => {
  it("sets the daily schedule, keeps the others, and prints the undo", async () => {
    const { state } = world.neon;
    state.schedule = [
      { frequency: "daily", hour: 5, retention_seconds: 7 * 86_400 },
      { frequency: "weekly", day: 1, hour: 3, retention_seconds: 14 * 86_400 },
    ];
    const dry = await change(schedule, "PUT", { dryRun: true });
    expect(dry.body.done).toBe("Would set a daily snapshot at 2:00 UTC, kept for 30 days.");
    expect(state.schedule[0]).toMatchObject({ hour: 5 });
    const { body } = await change(schedule, "PUT");
    expect(body).toMatchObject({
      done: "Set a daily snapshot at 2:00 UTC, kept for 30 days.",
      undo: 'npm run ops -- backup setup --hour 5 --retention-days 7 --reason "undo"',
    });
    expect(state.schedule).toEqual([
      { frequency: "daily", hour: 2, retention_seconds: 30 * 86_400 },
      { frequency: "weekly", day: 1, hour: 3, retention_seconds: 14 * 86_400 },
    ]);
    expect(await audits("backup.schedule_set")).toHaveLength(1);
    expect((await read(check)).body.findings).toContainEqual(
      expect.objectContaining({ check: "daily_schedule", passed: true }),
    );
  });
});

describe("PUT /api/ops/backups/schedule over items that we do not know fully", () => {
  it("writes them back as they were", async () => {
    const { state } = world.neon;
    const weekly = { frequency: "weekly", day: 1, hour: 3, retention_seconds: 14 * 86_400 };
    state.schedule = [weekly];
    const odd = { ...weekly, day: "monday", hour: 3.5, timezone: "Europe/Berlin" };
    world.neon.fail({
      kind: "rewrite",
      operationId: "getSnapshotSchedule",
      rewrite: () => JSON.stringify({ schedule: [odd] }),
    });
    await change(schedule, "PUT");
    const sent = world.neon.calls.find(({ operationId }) => operationId === "setSnapshotSchedule");
    expect(sent?.given).toMatchObject({ schedule: [{ frequency: "daily" }, odd] });
  });
});

describe("/api/ops/drills", () => {
  it("starts one drill, however often it is asked, and shows it", async () => {
    await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
    const { body } = await change(drills, "POST");
    expect(body.done).toContain("Started the restore drill");
    const again = await change(drills, "POST");
    expect(again.body.done).toBe(
      `The restore drill ${body.detail.id} is already running: \`ops drill status\` shows its step and its last try.`,
    );
    expect(await audits("restore_drill.started")).toHaveLength(1);
    const [running, past] = (await read(drills)).body.drills;
    expect(running).toMatchObject({ id: body.detail.id, state: "running", step: "create" });
    expect(running.startedBy).toBe(operator.user.id);
    expect(past).toMatchObject({ state: "succeeded", rtoSeconds: 0, rpoSeconds: 60 });
  });
});

describe("GET /api/ops/health", () => {
  it("shows the age of the check and of the drill", async () => {
    world.neon.state.historySeconds = 0;
    await read(check);
    const { findings } = (await read(health)).body;
    expect(findings).toContainEqual({
      name: "backups",
      status: "fail",
      detail: "checked 0 h ago; failed: pitr_window",
    });
    expect(findings).toContainEqual({
      name: "restore drill",
      status: "pass",
      detail: "the last one, 7 days ago, succeeded",
    });
  });

  const findingOf = async (name: string) =>
    ((await read(health)).body.findings as { name: string }[]).find((each) => each.name === name);

  it("does not pass a check of the backups that is over 26 hours old", async () => {
    await read(check);
    const move = (interval: string) =>
      stores.sql(
        `update telemetry_gauges set value = extract(epoch from now() - $1::interval)
         where series = 'backup_last_check_timestamp_seconds'`,
        interval,
      );
    await move("25 hours 50 minutes");
    expect(await findingOf("backups")).toMatchObject({ status: "pass" });
    await move("26 hours 10 minutes");
    expect(await findingOf("backups")).toMatchObject({
      status: "fail",
      detail: "checked 26 h ago, at most 26; failed: none",
    });
  });

  it.each([
    ["pass", "interval '34 days'", "true", "the last one, 34 days ago, succeeded"],
    ["fail", "interval '35 days 1 hour'", "true", "the last one, 35 days ago, succeeded"],
    ["fail", "interval '2 days'", "false", "the last one, 2 days ago, FAILED"],
  ])("shows as %s a drill that ended %s ago (succeeded: %s)", async (...row) => {
    const [status, age, succeeded, detail] = row;
    await stores.sql(
      `update restore_drills set finished_at = now() - ${age}, succeeded = ${succeeded}`,
    );
    expect(await findingOf("restore drill")).toMatchObject({ status, detail });
  });

  it.each([
    ["pass", "interval '23 hours'", "running for 23 h"],
    ["fail", "interval '25 hours'", "running for 25 h"],
  ])("shows as %s a drill that has been running for %s", async (status, age, says) => {
    await startRunning(age);
    expect(await findingOf("restore drill")).toMatchObject({
      status,
      detail: `the last one, 7 days ago, succeeded; ${says}`,
    });
  });

  it("does not hide a failed drill behind a running one", async () => {
    await stores.sql("update restore_drills set succeeded = false");
    await startRunning("interval '5 minutes'");
    expect(await findingOf("restore drill")).toMatchObject({ status: "fail" });
  });

  const startRunning = (age: string) =>
    stores.sql(
      `insert into restore_drills (id, started_at, started_by, target_at, step, step_started_at, held_until, copy_name,
         expected) select gen_random_uuid(), past, 'cron', past, 'wait', past, past, 'restore-drill-now', '{}'
       from (select now() - ${age} as past) as start`,
    );
});
