/** Must match vercel.json; a test compares them. */
export const scheduledJobs = ["tick", "cleanup"] as const;

export const cronPeriods = { tick: "minute", cleanup: "hour" } as const satisfies Record<
  (typeof scheduledJobs)[number],
  "minute" | "hour"
>;
