import { Cron as Job } from "croner";

/** An entry of `crons` in vercel.json: a route, and when it is called, in UTC. */
export interface Cron {
  path: string;
  schedule: string;
}

interface ClockOptions {
  crons: readonly Cron[];
  /** Where this process's own server listens. */
  port: number;
  secret: string | undefined;
  log: (message: string, error: unknown) => void;
}

/**
 * Call the cron routes on their schedule, as the platform's clock does: a GET with the secret, never
 * repeated. A call that falls due while the one before is still under way is left out.
 */
export function startClock({ crons, port, secret, log }: ClockOptions): { stop(): void } {
  const call = async (path: string) => {
    const headers = { authorization: `Bearer ${secret}` };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    await response.arrayBuffer();
  };
  const jobs = crons.map(({ path, schedule }) => {
    const failed = (error: unknown) => log(`The clock could not call ${path}.`, error);
    const options = { timezone: "UTC", protect: true, catch: failed };
    return new Job(schedule, options, () => call(path));
  });
  return {
    stop() {
      for (const job of jobs) job.stop();
    },
  };
}
