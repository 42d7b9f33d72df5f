import { errorFields, log } from "../logger.js";

/** One try of a job: never its payload. */
interface JobTry {
  id: string;
  kind: string;
  attempt: number;
  correlationId: string;
}

/** A job failed and is tried again in `delay` seconds. */
export function jobRetried(job: JobTry, delay: number, error: unknown): void {
  const data = { ...factsOf(job), delay, ...errorFields(error) };
  const { correlationId } = job;
  log("WARN", { evt: "job_retried", cat: "job", correlationId, data }, "A job is tried again");
}

/** A job is given up: it waits for an operator. */
export function jobDied(job: JobTry, error: unknown): void {
  const data = { ...factsOf(job), ...errorFields(error) };
  const { correlationId } = job;
  log("ERROR", { evt: "job_dead", cat: "job", correlationId, data }, "A job was given up");
}

const factsOf = ({ id, kind, attempt }: JobTry) => ({ jobId: id, operation: kind, attempt });
