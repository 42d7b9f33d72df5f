/** Must match vercel.json; a test compares them. */
export const scheduledJobs = ["tick", "cleanup", "backup-check", "restore-drill"] as const;
export type Job = (typeof scheduledJobs)[number];

export type Period = "minute" | "hour" | "day" | "month";

export const cronPeriods = {
  tick: "minute",
  cleanup: "hour",
  "backup-check": "day",
  "restore-drill": "month",
} as const satisfies Record<Job, Period>;

/** The minute of its period, in UTC, at which a job first runs. */
export const cronMinutes = {
  tick: 0,
  cleanup: 7,
  "backup-check": 23,
  "restore-drill": 3 * 60 + 41,
} as const satisfies Record<Job, number>;
