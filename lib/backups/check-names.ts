/** In the order of the report. */
export const backupChecks = [
  "configured",
  "recent_check",
  "daily_schedule",
  "newest_snapshot",
  "days_covered",
  "pitr_window",
  "branch_ready",
  "last_drill",
] as const;
export type BackupCheck = (typeof backupChecks)[number];
