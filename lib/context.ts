import type { NeonQueryFunction } from "@neondatabase/serverless";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Env } from "./env.js";
import type { RequestMetrics } from "./request-metrics.js";
import type { Trace } from "./trace.js";

/** Who acts: the signed-in person and session, as the session's record says. */
export interface Actor {
  userId: string;
  sessionId: string;
  role: Role;
}

export type Role = "user" | "operator" | "admin";

/** The request's Idempotency-Key, whose it is and what it was sent with. */
export interface IdempotencyKey {
  scope: string;
  key: string;
  bodyHash: string;
}

/** Drizzle over Neon's HTTP driver; `$client` sends plain SQL. */
export type Database = NeonHttpDatabase<Record<string, never>> & {
  $client: NeonQueryFunction<false, false>;
};

/** What a domain function gets instead of reading globals. */
export interface Context {
  env: Env;
  db: Database;
  /** The time of this request; a handler sees one time. It is set anew after a slow body. */
  now: Date;
  correlationId: string;
  /** The route's template, such as `/api/user/sessions/:sessionId`. */
  route: string;
  /** The caller's whole IP address; undefined where no trusted platform tells it. */
  address: string | undefined;
  /** What is learnt of the request, for the event that it ends in. */
  requestMetrics: RequestMetrics;
  /** What the gate said in the request's own trip to Redis; null when it was not asked or silent. */
  gate: Gate | null;
  /** The trace that the request is a part of; absent where none are kept. */
  trace?: Trace | undefined;
  /** Present when the caller wants the write done once. */
  idempotency?: IdempotencyKey;
  /** Do something after the reply, still within this invocation. A rejection is logged. */
  after(work: () => Promise<unknown>): void;
}

export interface Gate {
  /**
   * The moment before which every session has ended, in ms; null when Redis has lost it. Written by hand,
   * too: `revoke-all.ts` tells whether it can be meant.
   */
  revokeAllBefore: number | null;
  /** The mirror of the flags; null when Redis has lost it. */
  flags: string | null;
  /** The state of the toolkit's circuit breaker; null while it is closed and nothing has failed. */
  toolkitBreaker: string | null;
  /** When events were last drained, in ms; 0 when nobody has. */
  lastDrainMs: number;
}
