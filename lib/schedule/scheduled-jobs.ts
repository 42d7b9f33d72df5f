/** Must match vercel.json; a test compares them. */
export const scheduledJobs = ["tick", "cleanup"] as const;
