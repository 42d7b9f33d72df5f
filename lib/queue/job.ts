import type { Context } from "../context.js";
import { jobDied, jobRetried } from "../observability/log-lines/jobs.js";
import { defineKind, type Entry, type Failure, type Kind } from "./kind.js";

/** A job is an entry with a key. All jobs share limits and log lines. */
export const defineJob = <Payload>(
  job: Pick<Kind<Payload>, "name" | "payload" | "handle">,
): Kind<Payload> => defineKind<Payload>({ ...limits, log, ...job });

const limits = {
  leaseSeconds: 120,
  attemptsMax: 8,
  backoffSeconds: { first: 15, max: 30 * 60, jitter: 0.5 },
  concurrency: 1,
  budgetSeconds: 15,
};

const log = {
  retried: (_: Context, entry: Entry, { error, reason }: Failure, delaySeconds: number) =>
    jobRetried(entry, delaySeconds, error ?? new Error(reason)),
  died: (_: Context, entry: Entry, { error, reason }: Failure) =>
    jobDied(entry, error ?? new Error(reason)),
};
