import { errorFields, log } from "../logger.js";

/** Never the payload. */
interface JobTry {
  id: string;
  kind: string;
  attempt: number;
  correlationId: string;
}

/** `delay` in seconds. */
export function jobRetried(job: JobTry, delay: number, error: unknown): void {
  const data = { ...fieldsOf(job), delay, ...errorFields(error) };
  const { correlationId } = job;
  log(
    "WARN",
    { evt: "job_retried", cat: "job", correlationId, data },
    "Job failed, will be retried",
  );
}

export function jobDied(job: JobTry, error: unknown): void {
  const data = { ...fieldsOf(job), ...errorFields(error) };
  const { correlationId } = job;
  log(
    "ERROR",
    { evt: "job_dead", cat: "job", correlationId, data },
    "Job failed permanently, moved to dead letters",
  );
}

const fieldsOf = ({ id, kind, attempt }: JobTry) => ({ jobId: id, operation: kind, attempt });
