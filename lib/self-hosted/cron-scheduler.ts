import { Cron as Job } from "croner";

/** As `crons` in vercel.json; times in UTC. */
export interface Cron {
  path: string;
  schedule: string;
}

interface ClockOptions {
  crons: readonly Cron[];
  /** Of this process's own server. */
  port: number;
  secret: string | undefined;
  log: (message: string, error: unknown) => void;
}

/** Calls the cron routes as the platform does: GET with the secret, never retried. A call is skipped while the previous one runs. */
export function startCronScheduler({ crons, port, secret, log }: ClockOptions): { stop(): void } {
  const call = async (path: string) => {
    const headers = { authorization: `Bearer ${secret}` };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await response.arrayBuffer();
  };
  const jobs = crons.map(({ path, schedule }) => {
    const logFailure = (error: unknown) => log(`Cron call failed: ${path}`, error);
    // A time zone would load its calendar: 6 ms before the first reply.
    const options = { utcOffset: 0, protect: true, catch: logFailure };
    return new Job(schedule, options, () => call(path));
  });
  return {
    stop() {
      for (const job of jobs) job.stop();
    },
  };
}
