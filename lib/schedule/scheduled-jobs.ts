/** The jobs that the platform's clock calls; a test holds them equal to vercel.json. */
export const scheduledJobs = ["tick", "cleanup"] as const;
