import type { Database } from "./db/database.js";
import type { Env } from "./env.js";
import type { Facts } from "./facts.js";
import type { Gate } from "./redis/gate.js";
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
  facts: Facts;
  /** What the gate said in the request's own trip to Redis; null when it was not asked or silent. */
  gate: Gate | null;
  /** The trace that the request is a part of; absent where none are kept. */
  trace?: Trace | undefined;
  /** Present when the caller wants the write done once. */
  idempotency?: IdempotencyKey;
  /** Do something after the reply, still within this invocation. A rejection is logged. */
  after(work: () => Promise<unknown>): void;
}
