import type { SQL } from "drizzle-orm";
import type * as z from "zod";
import type { Context } from "../context.js";

export interface Entry<Payload = unknown, Reads = unknown> {
  id: string;
  kind: string;
  key: string | null;
  payload: Payload;
  /** Of the request that queued it. */
  correlationId: string;
  createdAt: Date;
  expiresAt: Date | null;
  /** 1 for the first attempt; also the fencing token of the lease. */
  attempt: number;
  reads: Reads;
}

/** The result of an attempt. A reason is one word without personal data. */
export type AttemptOutcome<Payload = unknown> =
  | { end: "done" }
  /** Not done, on purpose; stored as if it was. */
  | { end: "dropped" }
  | {
      end: "retry";
      reason: string;
      /** Minimum delay. */
      afterSeconds?: number | undefined;
      /** Pause for the whole kind within this run. */
      pauseSeconds?: number | undefined;
      /** Replaces the payload. */
      payload?: Payload;
    }
  | { end: "dead"; reason: string; payload?: Payload };

export interface Failure {
  reason: string;
  error?: unknown;
}

export interface Kind<Payload = unknown, Reads = unknown> {
  name: string;
  /** An invalid payload becomes a dead letter. */
  payload: z.ZodType<Payload>;
  /** Longer than one attempt. */
  leaseSeconds: number;
  /** Then a dead letter. Null: retried until it expires. */
  attemptsMax: number | null;
  /** Exponential backoff from `first` to `max`, plus a random share of up to `jitter`. */
  backoffSeconds: { first: number; max: number; jitter: number };
  concurrency: number;
  budgetSeconds: number;
  /** SQL values that the claim reads for the handler. */
  reads?: { [Name in keyof Reads]: SQL<Reads[Name]> };
  /** A further SQL condition on the row `due`. */
  isReady?: SQL;
  /** Dead letters to delete when an entry with this payload, without a key, is done or dropped. */
  supersedes?(payload: Payload): SQL;
  /** The time by which entries are due; by default the clock of Postgres. */
  now?(ctx: Context): SQL;
  /** At least once: commit writes together with `entryDone`, and send the entry's ID as an idempotency key. A thrown error is a retry. */
  handle(ctx: Context, entry: Entry<Payload, Reads>): Promise<AttemptOutcome<Payload>>;
  log: {
    retried(ctx: Context, entry: Entry<Payload>, failure: Failure, delaySeconds: number): void;
    /** The payload is null if it is invalid or the last lease expired. */
    died(ctx: Context, entry: Entry<Payload | null>, failure: Failure): void;
    expired?(correlationId: string, count: number): void;
  };
}

export const defineKind = <Payload, Reads = unknown>(
  kind: Kind<Payload, Reads>,
): Kind<Payload, Reads> => kind;
