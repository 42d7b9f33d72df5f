import { beforeAll, describe, expect, it } from "vitest";
import check from "../../../api/ops/backups/check.js";
import backups from "../../../api/ops/backups/index.js";
import schedule from "../../../api/ops/backups/schedule.js";
import drills from "../../../api/ops/drills/index.js";
import health from "../../../api/ops/health.js";
import { call } from "../../support/call.js";
import { setEnvironment } from "../../support/environment.js";
import { useNeon } from "../../support/neon.js";
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

describe("/api/ops/drills", () => {
  it("starts one drill, however often it is asked, and shows it", async () => {
    await stores.sql("insert into backup_canaries (at) values (now() - interval '30 minutes')");
    const { body } = await change(drills, "POST");
    expect(body.done).toContain("Started the restore drill");
    const again = await change(drills, "POST");
    expect(again.body.done).toBe(`The restore drill ${body.detail.id} is already running.`);
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
});
