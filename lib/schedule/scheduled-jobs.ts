/** Must match vercel.json; a test compares them. */
export const scheduledJobs = ["tick", "cleanup"] as const;

export const cronPeriods = { tick: "minute", cleanup: "hour" } as const satisfies Record<
  (typeof scheduledJobs)[number],
  "minute" | "hour"
>;

/** The minute of the hour at which a job of each hour runs. */
export const cronMinutes = { tick: 0, cleanup: 7 } as const satisfies Record<
  (typeof scheduledJobs)[number],
  number
>;
