import { describe, expect, it } from "vitest";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { runProbes } from "../../../lib/alerts/probes.js";
import { seriesName } from "../../../lib/observability/metrics.js";
import { cleanupCron } from "../../../lib/schedule/cleanup.js";
import { runCron } from "../../../lib/schedule/cron.js";
import { tickCron } from "../../../lib/schedule/tick.js";
import { useAlerts } from "../../support/alerts.js";
import { aContext } from "../../support/context.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const world = useAlerts(stores);

const failing = async () => {
  throw new Error("It fails each time.");
};
const runs = (cron: typeof tickCron, work: () => Promise<unknown>) =>
  runCron(aContext(), { ...cron, parts: [["only", work]] }, { again: true });
const firstDue = async () => {
  const rows = await stores.sql(
    "select series, value from telemetry_gauges where series like 'cron_first_due%' order by series",
  );
  return Object.fromEntries(rows.map(({ series, value }) => [`${series}`, Number(value)]));
};
const cleanup = seriesName("cron_last_success_timestamp_seconds", { job: "cleanup" });
const tick = seriesName("cron_last_success_timestamp_seconds", { job: "tick" });

/** Moves the first due time into the past, instead of simulating a day. */
const moveFirstDueBack = (seconds: number) =>
  stores.sql(
    "update telemetry_gauges set value = value - $1 where series like 'cron_first_due%cleanup%'",
    String(seconds),
  );

it("fires for a job that was never called or never succeeded, after two of its periods", async () => {
  await runs(tickCron, async () => {});
  await world.gauge(tick, Math.floor(Date.now() / 1000) + 3600);
  await world.endMinute(0);
  await world.endMinute(1);
  expect(await world.firing()).toEqual([]);
  await moveFirstDueBack(2 * 3600 - 600);
  await world.endMinute(2);
  expect(await world.firing()).toEqual([]);
  await moveFirstDueBack(600);
  await world.endMinute(3);
  expect(await world.firing()).toEqual(["CronMissed:cleanup"]);
  await runs(cleanupCron, failing);
  await world.endMinute(4);
  expect(await world.firing()).toEqual(["CronMissed:cleanup"]);
  await runs(cleanupCron, async () => {});
  expect(
    (await stores.sql("select 1 from telemetry_gauges where series = $1", cleanup)).length,
  ).toBe(1);
  await world.endMinute(5);
  await world.endMinute(6);
  expect(await world.firing()).toEqual([]);
});

it("fires for a tick that never succeeded completely, in its third minute", async () => {
  await runs(tickCron, failing);
  await world.endMinute(0);
  await world.endMinute(1);
  expect(await world.firing()).toEqual([]);
  await world.endMinute(2);
  await world.endMinute(3);
  expect(await world.firing()).toEqual(["CronMissed:tick"]);
});

it("keeps the time at which a job was first due", async () => {
  await runs(tickCron, failing);
  const first = await firstDue();
  expect(Object.keys(first)).toEqual([
    'cron_first_due_timestamp_seconds{job="backup-check"}',
    'cron_first_due_timestamp_seconds{job="cleanup"}',
    'cron_first_due_timestamp_seconds{job="restore-drill"}',
    'cron_first_due_timestamp_seconds{job="tick"}',
  ]);
  await moveFirstDueBack(500);
  await runs(tickCron, async () => {});
  await runs(cleanupCron, async () => {});
  const cleanup = 'cron_first_due_timestamp_seconds{job="cleanup"}';
  expect((await firstDue())[cleanup]).toBeCloseTo((first[cleanup] ?? 0) - 500, 3);
});

const secondsAt = (minute: number) => Math.floor(world.after(minute).now.getTime() / 1000);
const succeeds = (series: string, minute: number) => world.gauge(series, secondsAt(minute));
const outageSeconds = async (job: string) => {
  const series = seriesName("cron_outage_seconds", { job });
  const [row] = await stores.sql("select value from telemetry_gauges where series = $1", series);
  return Number(row?.value);
};
const missed = async () => (await world.firing()).filter((key) => key.startsWith("CronMissed"));

describe("during and after an outage of Redis", () => {
  /** Ticks without Redis, in each of these minutes. */
  async function isDown(first: number, end: number) {
    await stores.faults.redis.set({ kind: "refuse" });
    for (let minute = first; minute < end; minute += 1) await world.endMinute(minute);
    await redisReturns();
  }
  /** The client calls Redis again only after a pause. */
  async function redisReturns() {
    await stores.faults.redis.set(null);
    const isDown = async () => (await runProbes(aContext())).stores.redis;
    await expect.poll(isDown, { timeout: 30_000 }).toBe(false);
  }

  it("does not fire when the runs resume", async () => {
    await succeeds(tick, 0);
    await world.endMinute(0);
    await isDown(1, 8);
    expect(await world.firing()).toContain("RedisDown:redis");
    expect(await missed()).toEqual([]);
    expect(await outageSeconds("tick")).toBe(7 * 60);
    await world.endMinute(8);
    expect(await missed()).toEqual([]);
    await runs(tickCron, async () => {});
    expect(await outageSeconds("tick")).toBe(0);
    expect(await world.transitions("CronMissed")).toEqual([]);
  });

  it("fires when the job is not run after it either", async () => {
    await succeeds(tick, 0);
    await world.endMinute(0);
    await isDown(1, 8);
    // A second evaluation of a minute does not count it twice.
    await evaluateAlerts(world.after(7));
    await world.endMinute(8);
    await world.endMinute(9);
    expect(await missed()).toEqual([]);
    await world.endMinute(10);
    expect(await missed()).toEqual(["CronMissed:tick"]);
  });

  it("holds back the notice of the stalled drain, which needs Redis", async () => {
    await world.endMinute(0);
    await stores.faults.redis.set({ kind: "refuse" });
    for (let minute = 1; minute < 8; minute += 1) await evaluateAlerts(world.after(minute));
    await redisReturns();
    expect(await world.firing()).toContain("DrainStalled:");
    const [alert] = await stores.sql(
      "select told_priority from alerts where rule = 'DrainStalled'",
    );
    expect(alert?.told_priority).toBeNull();
  });
});

describe("after an outage of Postgres", () => {
  /** Ticks without Postgres, in each of these minutes. */
  async function isDown(first: number, end: number, step = 1) {
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let minute = first; minute < end; minute += step) {
      await expect(evaluateAlerts(world.after(minute))).rejects.toThrow();
    }
    await stores.faults.postgres.set(null);
  }

  it("does not fire when the runs resume", async () => {
    await succeeds(tick, 0);
    await world.endMinute(0);
    await isDown(1, 8);
    await world.endMinute(8);
    expect(await missed()).toEqual([]);
    await succeeds(tick, 8);
    await world.endMinute(9);
    expect(await missed()).toEqual([]);
    expect(await world.transitions("CronMissed")).toEqual([]);
    expect(world.investigate.messages()).toEqual([]);
  });

  it("fires when the job is not run after it either", async () => {
    await succeeds(tick, 0);
    await world.endMinute(0);
    await isDown(1, 8);
    await world.endMinute(8);
    await world.endMinute(9);
    expect(await missed()).toEqual([]);
    await world.endMinute(10);
    expect(await missed()).toEqual(["CronMissed:tick"]);
    // Late, repeated and earlier evaluations change nothing.
    for (const minute of [10, 9, 8]) {
      expect(await evaluateAlerts(world.after(minute))).toMatchObject({ transitions: 0 });
    }
    expect(await missed()).toEqual(["CronMissed:tick"]);
  });

  it("fires for runs that were missed before or after it", async () => {
    await succeeds(tick, 0);
    await world.endMinute(0);
    await isDown(1, 3);
    // Nothing called the job for five minutes, and Postgres was back.
    await world.endMinute(8);
    expect(await missed()).toEqual(["CronMissed:tick"]);
  });

  it("does not fire for an hourly job before its next slot, also after a second outage", async () => {
    await succeeds(cleanup, 0);
    await world.endMinute(0);
    await isDown(20, 95, 2);
    await world.endMinute(95);
    await isDown(100, 160, 2);
    await world.endMinute(160);
    expect(await missed()).toEqual([]);
    expect(await outageSeconds("cleanup")).toBe((75 + 59) * 60);
    await world.endMinute(179);
    expect(await missed()).toEqual([]);
    await world.endMinute(260);
    expect(await missed()).toEqual(["CronMissed:cleanup"]);
  });

  it("counts only the part of the outage after the last success, and a success ends it", async () => {
    await runs(tickCron, async () => {});
    await succeeds(cleanup, 4);
    await world.endMinute(0);
    await isDown(1, 8);
    await world.endMinute(8);
    expect(await outageSeconds("tick")).toBe(7 * 60);
    expect(await outageSeconds("cleanup")).toBe(4 * 60 - 5);
    await runs(tickCron, async () => {});
    expect(await outageSeconds("tick")).toBe(0);
  });
});
