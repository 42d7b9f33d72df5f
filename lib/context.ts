import type { NeonQueryFunction } from "@neondatabase/serverless";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Env } from "./env.js";
import type { RequestMetrics } from "./request-metrics.js";
import type { Trace } from "./trace.js";

/** The signed-in user, as the session's record says. */
export interface Actor {
  userId: string;
  sessionId: string;
  role: Role;
}

export type Role = "user" | "operator" | "admin";

export interface IdempotencyKey {
  scope: string;
  key: string;
  bodyHash: string;
}

/** Drizzle over Neon's HTTP driver; `$client` sends plain SQL. */
export type Database = NeonHttpDatabase<Record<string, never>> & {
  $client: NeonQueryFunction<false, false>;
};

/** Passed to every domain function. */
export interface Context {
  env: Env;
  db: Database;
  /** The time of this request; set again after a slow body, and after one that is read before the limits. */
  now: Date;
  correlationId: string;
  /** The template, such as `/api/user/sessions/:sessionId`. */
  route: string;
  /** The caller's IP address; undefined without a trusted platform. */
  address: string | undefined;
  requestMetrics: RequestMetrics;
  /** The gate as read in the request's Redis round trip; null when not asked, and when Redis did not answer or is outdated. */
  gate: Gate | null;
  trace?: Trace | undefined;
  idempotency?: IdempotencyKey;
  /** Run `work` after the reply, within this invocation. A rejection is logged. */
  after(work: () => Promise<unknown>): void;
}

export interface Gate {
  /** Sessions created before this time (ms) have ended; null when Redis has lost it. */
  revokeAllBefore: number | null;
  /** The copy of the flags; null when Redis has lost it. */
  flags: string | null;
  /** The state of the toolkit's circuit breaker; null (closed) until its first change. */
  toolkitBreaker: string | null;
  /** The database is being restored. */
  isRestoring: boolean;
  /** The last drain that emptied the backlog of events, in ms; 0 if unknown. */
  lastDrainMs: number;
}
