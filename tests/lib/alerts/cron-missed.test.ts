import { expect, it } from "vitest";
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
    'cron_first_due_timestamp_seconds{job="cleanup"}',
    'cron_first_due_timestamp_seconds{job="tick"}',
  ]);
  await moveFirstDueBack(500);
  await runs(tickCron, async () => {});
  await runs(cleanupCron, async () => {});
  const [due] = Object.values(await firstDue());
  expect(due).toBeCloseTo((Object.values(first)[0] ?? 0) - 500, 3);
});
