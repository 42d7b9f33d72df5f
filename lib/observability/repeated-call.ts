import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context.js";
import { externalCallFailed, externalRetry } from "./log-lines/external.js";

/** One call of an external service. */
export interface Attempt {
  /** `ok`, or an error code. */
  outcome: string;
  /** From Retry-After; 0 without it. */
  retryAfterMs: number;
}

interface Repetition {
  service: string;
  operation: string;
  attemptMs: number;
  /** Of all attempts together. By `performance.now()`. */
  endsAtMs: number;
  retriesMax: number;
  /** Before the second attempt; doubled for each further one. */
  pauseMs: number;
  mayRepeat(outcome: string): boolean;
}

/**
 * Repeat `attempt` until one is ok, with exponential backoff and jitter, and not before Retry-After. Returns the last one:
 * also when there is no time for another. Rejects only as `attempt` does.
 */
export async function repeatedCall<A extends Attempt>(
  { correlationId }: Pick<Context, "correlationId">,
  { service, operation, attemptMs, endsAtMs, retriesMax, pauseMs, mayRepeat }: Repetition,
  attempt: (timeoutMs: number) => Promise<A>,
): Promise<A> {
  for (let tries = 1; ; tries += 1) {
    const made = await attempt(Math.min(attemptMs, endsAtMs - performance.now()));
    if (made.outcome === "ok") return made;
    const report = { correlationId, service, operation, attempt: tries, reason: made.outcome };
    const doubled = pauseMs * 2 ** (tries - 1) * (0.5 + Math.random() / 2);
    const delay = Math.round(Math.max(doubled, made.retryAfterMs));
    const isLast = tries > retriesMax || performance.now() + delay >= endsAtMs;
    if (isLast || !mayRepeat(made.outcome)) {
      externalCallFailed(report);
      return made;
    }
    externalRetry({ ...report, delay });
    await sleep(delay);
  }
}
