import type { SQL } from "drizzle-orm";
import type * as z from "zod";
import type { Context } from "../context.js";

/** An entry of the queue, as its handler gets it. */
export interface Entry<Payload = unknown, Reads = unknown> {
  id: string;
  kind: string;
  key: string | null;
  payload: Payload;
  /** That of the request that queued it. */
  correlationId: string;
  createdAt: Date;
  expiresAt: Date | null;
  /** 1 at the first try; also the token of the lease. */
  attempt: number;
  /** The values of the kind's `reads`. */
  reads: Reads;
}

/** How a try ended. A reason is a word, without personal data. */
export type Outcome<Payload = unknown> =
  | { end: "done" }
  /** Removed on purpose, without having been done. */
  | { end: "dropped" }
  | {
      end: "retry";
      reason: string;
      /** Not sooner than this. */
      afterSeconds?: number | undefined;
      /** No entry of this kind is tried for so long in this run. */
      pauseSeconds?: number | undefined;
      /** In place of the payload that was tried. */
      payload?: Payload;
    }
  | { end: "dead"; reason: string; payload?: Payload };

export interface Failure {
  reason: string;
  /** What the handler threw. */
  error?: unknown;
}

/** One kind of entry: how it is done, and how often it is tried. */
export interface Kind<Payload = unknown, Reads = unknown> {
  name: string;
  /** An entry with another payload is moved to the dead letters. */
  payload: z.ZodType<Payload>;
  /** Longer than one try takes. */
  leaseSeconds: number;
  /** Null: it is tried until it expires. */
  attemptsMax: number | null;
  /** The delay doubles from `first` to `max`, and is lengthened at random by up to the share `jitter`. */
  backoffSeconds: { first: number; max: number; jitter: number };
  /** How many are tried at once. */
  concurrency: number;
  /** How long one run takes at most. */
  budgetSeconds: number;
  /** Values over the row that the handler needs, read by the statement that claims it. */
  reads?: { [Name in keyof Reads]: SQL<Reads[Name]> };
  /** A further condition on the row `due`, without which it is not claimed yet. */
  isReady?: SQL;
  /** The dead letters that are of no use once an entry with this payload is done. */
  supersedes?(payload: Payload): SQL;
  /** The clock that entries are due by; Postgres's own unless the kind says otherwise. */
  now?(ctx: Context): SQL;
  /**
   * Do the work. It may be repeated after a crash: what it writes to Postgres belongs in a batch with
   * `entryDone`, and what it sends carries the entry's ID. A thrown error is a retry.
   */
  handle(ctx: Context, entry: Entry<Payload, Reads>): Promise<Outcome<Payload>>;
  log: {
    retried(ctx: Context, entry: Entry<Payload>, failure: Failure, delaySeconds: number): void;
    /** The payload is null where it is not valid. */
    died(ctx: Context, entry: Entry<Payload | null>, failure: Failure): void;
    /** So many expired before they were done. */
    expired?(correlationId: string, count: number): void;
  };
}

export const defineKind = <Payload, Reads = unknown>(
  kind: Kind<Payload, Reads>,
): Kind<Payload, Reads> => kind;
