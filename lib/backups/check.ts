import { desc, eq, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { restoreDrills } from "../db/schema/backups.js";
import { telemetryGauges } from "../db/schema/telemetry.js";
import { writeGauges } from "../db/write-gauges.js";
import { backupCheckFailed } from "../observability/log-lines/backups.js";
import { seriesName } from "../observability/metrics.js";
import { type BackupCheck, backupChecks } from "./check-names.js";
import { backupStore, isBackupProcessElsewhere } from "./configured-store.js";
import { measuredFact } from "./measured.js";
import type { BackupStore, ScheduleItem, Snapshot } from "./store.js";
import { BackupStoreError } from "./store-error.js";

const Finding = z.strictObject({
  check: z.enum(backupChecks),
  passed: z.boolean(),
  detail: z.string(),
});
type Finding = z.infer<typeof Finding>;

export const BackupReport = z.strictObject({
  /** False in development without a backup store: nothing is checked, and nothing alerts. */
  isChecked: z.boolean(),
  findings: z.array(Finding),
});
export type BackupReport = z.infer<typeof BackupReport>;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Of a daily check, and of a daily snapshot. */
export const checkAgeHoursMax = 26;
const snapshotAgeMsMax = checkAgeHoursMax * hourMs;
export const retentionDaysMin = 30;
const daysToCover = 30;
export const drillAgeDaysMax = 35;
const skewMsMax = 5 * 60_000;

/** Gauges by series name; null: no data. */
type Gauges = Map<string, number | null>;
type Judgement = Omit<Finding, "check"> & {
  gauges: Gauges;
  /** It could not be read, and another try may succeed. */
  mayBeAnswered?: boolean;
};

/**
 * Judge each fact by itself; one that cannot be read fails its own check. Sets the gauges of the alerts. Rejects without
 * Postgres. `given` is the store of the backup process; where one exists, the server
 * measures nothing and only reports its last check.
 */
export async function checkBackups(ctx: Context, given?: BackupStore): Promise<BackupReport> {
  return (await measureBackups(ctx, given)).report;
}

/** As `checkBackups`, but throws `BackupStoreError` after it when the store did not answer and may do so later. */
export async function checkAnsweredBackups(ctx: Context): Promise<BackupReport> {
  const { report, unanswered } = await measureBackups(ctx);
  if (unanswered.length === 0) return report;
  throw new BackupStoreError(`the store did not answer: ${unanswered.join(", ")}`);
}

async function measureBackups(
  ctx: Context,
  given?: BackupStore,
): Promise<{ report: BackupReport; unanswered: BackupCheck[] }> {
  if (!given && isBackupProcessElsewhere(ctx)) {
    return { report: await reportOfProcess(ctx), unanswered: [] };
  }
  const store = given ?? (await backupStore(ctx));
  const found = store ? await judgeAll(ctx, store) : notConfigured(ctx);
  const gauges: Gauges = new Map(
    backupChecks.map((check) => [seriesName("backup_unsafe", { check }), null]),
  );
  gauges.set(seriesName("backup_pitr_window_seconds"), null);
  const findings: Finding[] = [];
  for (const [check, { passed, detail, gauges: measured }] of found) {
    findings.push({ check, passed, detail });
    gauges.set(seriesName("backup_unsafe", { check }), passed ? 0 : 1);
    for (const [series, value] of measured) gauges.set(series, value);
    if (!passed) backupCheckFailed(ctx.correlationId, { operation: check, reason: detail });
  }
  gauges.set(seriesName("backup_last_check_timestamp_seconds"), secondsOf(ctx.now));
  await writeGauges(ctx, gauges);
  const unanswered = found.flatMap(([check, { mayBeAnswered }]) => (mayBeAnswered ? check : []));
  return { report: { isChecked: findings.length > 0, findings }, unanswered };
}

/** A backup process that has stopped must not look healthy. Does nothing without one. */
export async function watchBackupProcess(ctx: Context): Promise<void> {
  if (isBackupProcessElsewhere(ctx)) await reportOfProcess(ctx);
}

async function reportOfProcess(ctx: Context): Promise<BackupReport> {
  const { rows } = await ctx.db.execute<{ series: string; value: string }>(sql`
    select series, cast(value as text) as value from ${telemetryGauges} where starts_with(series, 'backup_')`);
  const values = new Map(rows.map(({ series, value }) => [series, Number(value)]));
  const checkedAt = values.get(seriesName("backup_last_check_timestamp_seconds"));
  const recent = judgeProcess(ctx, checkedAt);
  const series = seriesName("backup_unsafe", { check: "recent_check" });
  await writeGauges(ctx, new Map([[series, recent.passed ? 0 : 1]]));
  const { gauges: _, ...drill } = judgeDrill(ctx, await lastDrillSuccess(ctx));
  const others = backupChecks.flatMap((check): Finding[] => {
    const value = values.get(seriesName("backup_unsafe", { check }));
    if (value === undefined || check === "recent_check") return [];
    if (check === "last_drill") return [{ check, ...drill }];
    const fact = measuredFact(check, (name) => values.get(name));
    const how = value === 0 ? passedThere : failedThere;
    return [{ check, passed: value === 0, detail: fact ? `${fact}; ${how}` : how }];
  });
  const finding = { check: "recent_check", passed: recent.passed, detail: recent.detail } as const;
  return { isChecked: true, findings: [finding, ...others] };
}

const passedThere = "passed in the last check of the backup process";
const failedThere =
  "failed in the last check of the backup process: `docker-compose logs backup` says why";

export const neverChecked =
  "the backup process has never checked: start it with `npm run backup -- run`, in containers `docker-compose up -d backup`";

function judgeProcess({ now }: Context, checkedAt: number | undefined): Judgement {
  if (checkedAt === undefined) return bad(neverChecked);
  const ageMs = now.getTime() - checkedAt * 1000;
  const at = new Date(checkedAt * 1000).toISOString();
  const detail = `the backup process last checked at ${at}, ${Math.floor(ageMs / hourMs)} h ago; at most ${checkAgeHoursMax}`;
  return judged(ageMs <= snapshotAgeMsMax)(detail);
}

function notConfigured({ env }: Context): [BackupCheck, Judgement][] {
  if (!env.production) return [];
  return [
    [
      "configured",
      bad("no backup store is configured: set NEON_API_KEY, or BACKUP_URL if self-hosted"),
    ],
  ];
}

async function judgeAll(
  ctx: Context,
  store: BackupStore,
): Promise<(readonly [BackupCheck, Judgement])[]> {
  const { readRecoverySeconds } = store;
  const [mismatch, schedule, snapshots, recoverySeconds, state, since, drilledAt] =
    await Promise.all([
      reading(async () => (await store.findMismatch?.()) ?? null),
      reading(() => store.readSchedule()),
      reading(async () => restorable(ctx, await store.listSnapshots())),
      readRecoverySeconds && reading(readRecoverySeconds),
      reading(() => store.readState()),
      coverageSince(ctx),
      lastDrillSuccess(ctx),
    ]);
  const hasSchedule = "value" in schedule && isKeptLongEnough(dailyOf(schedule.value));
  const from = since ?? (hasSchedule ? ctx.now : null);
  const judgeRecovery = (found: number) =>
    judgeWindow(ctx, found, store.historyGrows ? from : null);
  return [
    ["configured", judge(mismatch, (found) => judgeTarget(store, found))],
    ["daily_schedule", judge(schedule, judgeSchedule)],
    ["newest_snapshot", judge(snapshots, (found) => judgeNewest(ctx, found))],
    ["days_covered", judge(snapshots, (found) => judgeCoverage(ctx, found, from))],
    ...(recoverySeconds ? [["pitr_window", judge(recoverySeconds, judgeRecovery)] as const] : []),
    ["branch_ready", judge(state, judgeState)],
    ["last_drill", judgeDrill(ctx, drilledAt)],
  ];
}

type Reading<T> = { value: T } | { unreadable: string; isFinal: boolean };

async function reading<T>(read: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (error instanceof BackupStoreError) {
      return { unreadable: error.message, isFinal: error.isFinal };
    }
    throw error;
  }
}

function judge<T>(read: Reading<T>, by: (value: T) => Judgement): Judgement {
  if ("value" in read) return by(read.value);
  return { ...bad(`could not be read: ${read.unreadable}`), mayBeAnswered: !read.isFinal };
}

const good = (detail: string, gauges: Gauges = new Map()) => ({ passed: true, detail, gauges });
const bad = (detail: string, gauges: Gauges = new Map()) => ({ passed: false, detail, gauges });
const judged = (passed: boolean) => (passed ? good : bad);

/** Those that have not expired. A time in the future would make an old snapshot look new. */
function restorable({ now }: Context, snapshots: Snapshot[]): Snapshot[] {
  const future = snapshots.find(({ at }) => at.getTime() > now.getTime() + skewMsMax);
  if (future) throw new BackupStoreError("snapshots: one has a time in the future");
  return snapshots.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);
}

/** The daily item that is kept longest. One without a retention is not what `backup setup` has set. */
function dailyOf(schedule: ScheduleItem[]): ScheduleItem | undefined {
  const retention = (item: ScheduleItem) => item.retentionSeconds ?? 0;
  return schedule
    .filter(({ frequency }) => frequency === "daily")
    .toSorted((one, other) => retention(other) - retention(one))[0];
}

const isKeptLongEnough = (daily: ScheduleItem | undefined) =>
  (daily?.retentionSeconds ?? 0) * 1000 >= retentionDaysMin * dayMs;

function judgeTarget({ name }: BackupStore, mismatch: string | null): Judgement {
  return mismatch === null ? good(`${name} is configured`) : bad(mismatch);
}

function judgeSchedule(schedule: ScheduleItem[]): Judgement {
  const daily = dailyOf(schedule);
  const retention = daily?.retentionSeconds ?? 0;
  const gauges: Gauges = new Map([[seriesName("backup_schedule_retention_seconds"), retention]]);
  if (!daily) return bad("there is no daily schedule: `ops backup setup` makes it", gauges);
  if (daily.retentionSeconds === null) return bad("the daily schedule has no retention", gauges);
  const detail = `daily, kept for ${inDays(retention * 1000)} days; at least ${retentionDaysMin}`;
  return judged(isKeptLongEnough(daily))(detail, gauges);
}

function judgeNewest({ now }: Context, snapshots: Snapshot[]): Judgement {
  const newest = Math.max(...snapshots.map(({ at }) => at.getTime()));
  const series = seriesName("backup_newest_snapshot_timestamp_seconds");
  if (snapshots.length === 0) return bad("there is no snapshot", new Map([[series, null]]));
  const ageMs = Math.max(0, now.getTime() - newest);
  const detail = `${Math.floor(ageMs / hourMs)} h old; at most ${checkAgeHoursMax}`;
  return judged(ageMs <= snapshotAgeMsMax)(detail, new Map([[series, newest / 1000]]));
}

/** The day of the newest snapshot is another check: without it alone, no day is missing here. */
function judgeCoverage({ now }: Context, snapshots: Snapshot[], since: Date | null): Judgement {
  const times = snapshots.map(({ at }) => at.getTime());
  const nowMs = now.getTime();
  const firstMs = nowMs - daysToCover * dayMs;
  const newest = missingDays([], Math.max(firstMs, ...times), nowMs);
  const count = times.length === 0 ? 0 : daysToCover - missingDays(times, firstMs, nowMs);
  const fromMs = since ? Math.max(firstMs, since.getTime()) : nowMs;
  const missing = missingDays(times, fromMs, nowMs) - Math.min(1, newest);
  const gauges: Gauges = new Map([[seriesName("backup_daily_snapshots"), count]]);
  // Kept at its first value: days before the schedule was set need no snapshot.
  const series = seriesName("backup_coverage_since_timestamp_seconds");
  if (since) gauges.set(series, secondsOf(since));
  const detail = `${count} of the last ${daysToCover} days are covered`;
  if (snapshots.length === 0) return bad(detail, gauges);
  return missing <= 0
    ? good(detail, gauges)
    : bad(`${detail}: ${missing} since the schedule was set are missing`, gauges);
}

/** Each snapshot may be 26 h after the one before. */
function missingDays(times: number[], fromMs: number, toMs: number): number {
  const within = times.filter((time) => time > fromMs && time < toMs);
  const points = [fromMs, ...within.toSorted((one, other) => one - other), toMs];
  const gaps = points.slice(1).map((time, index) => time - (points[index] ?? time));
  const missing = gaps.map((gap) => Math.max(0, Math.ceil((gap - snapshotAgeMsMax) / dayMs)));
  return missing.reduce((sum, each) => sum + each, 0);
}

function judgeWindow({ env, now }: Context, seconds: number, since: Date | null): Judgement {
  const gauges: Gauges = new Map([[seriesName("backup_pitr_window_seconds"), seconds]]);
  const { pitrDays } = env.backups;
  const detail = `any time of the last ${inDays(seconds * 1000)} days; at least ${pitrDays}`;
  const sinceMs = since
    ? now.getTime() - since.getTime() - snapshotAgeMsMax
    : Number.POSITIVE_INFINITY;
  return judged(seconds * 1000 >= Math.min(pitrDays * dayMs, sinceMs))(detail, gauges);
}

function judgeState({ isReady, detail }: { isReady: boolean; detail: string }): Judgement {
  const gauges: Gauges = new Map([[seriesName("backup_branch_ready"), isReady ? 1 : 0]]);
  return judged(isReady)(detail, gauges);
}

function judgeDrill({ now }: Context, succeededAt: Date | null): Judgement {
  if (!succeededAt) return bad("no restore drill has succeeded: `ops drill run` starts one");
  const ageMs = now.getTime() - succeededAt.getTime();
  const detail = `the last success is ${inDays(ageMs)} days old; at most ${drillAgeDaysMax}`;
  return judged(ageMs <= drillAgeDaysMax * dayMs)(detail);
}

async function coverageSince({ db }: Context): Promise<Date | null> {
  const series = seriesName("backup_coverage_since_timestamp_seconds");
  const [row] = await db
    .select({ value: telemetryGauges.value })
    .from(telemetryGauges)
    .where(eq(telemetryGauges.series, series));
  return row ? new Date(Number(row.value) * 1000) : null;
}

async function lastDrillSuccess({ db }: Context): Promise<Date | null> {
  const [row] = await db
    .select({ finishedAt: restoreDrills.finishedAt })
    .from(restoreDrills)
    .where(sql`${restoreDrills.succeeded}`)
    .orderBy(desc(restoreDrills.finishedAt))
    .limit(1);
  return row?.finishedAt ?? null;
}

const secondsOf = (time: Date) => Math.floor(time.getTime() / 1000);
/** Rounded down to a tenth, so that 29.99 days do not read as 30. */
const inDays = (ms: number) => Math.floor((ms / dayMs) * 10) / 10;
