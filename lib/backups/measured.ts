import { seriesName } from "../observability/metrics.js";
import type { BackupCheck } from "./check-names.js";

const daySeconds = 86_400;

/** What the gauges know about a check; null when they only know whether it passed. */
export function measuredFact(
  check: BackupCheck,
  gaugeOf: (series: string) => number | undefined,
): string | null {
  const measure = measures[check];
  const value = measure && gaugeOf(seriesName(measure.name));
  return measure && value !== undefined ? measure.text(value) : null;
}

const timeOf = (seconds: number) => new Date(seconds * 1000).toISOString();
const daysOf = (seconds: number) => Math.floor(seconds / (daySeconds / 10)) / 10;

const measures: Partial<
  Record<BackupCheck, { name: Parameters<typeof seriesName>[0]; text: (value: number) => string }>
> = {
  daily_schedule: {
    name: "backup_schedule_retention_seconds",
    text: (value) => `kept for ${daysOf(value)} days`,
  },
  newest_snapshot: {
    name: "backup_newest_snapshot_timestamp_seconds",
    text: (value) => `the newest is of ${timeOf(value)}`,
  },
  days_covered: {
    name: "backup_daily_snapshots",
    text: (value) => `${value} of the last 30 days are covered`,
  },
  pitr_window: {
    name: "backup_pitr_window_seconds",
    text: (value) => `any time of the last ${daysOf(value)} days`,
  },
  last_drill: {
    name: "backup_last_drill_success_timestamp_seconds",
    text: (value) => `the last success was at ${timeOf(value)}`,
  },
};
