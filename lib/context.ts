import type { Database } from "./db/database.js";
import type { Env } from "./env.js";

/** Who acts: the signed-in person and session, as the session's record says. */
export interface Actor {
  userId: string;
  sessionId: string;
  role: Role;
}

export type Role = "user" | "operator" | "admin";

/** What a domain function gets instead of reading globals. */
export interface Context {
  env: Env;
  db: Database;
  /** The time of this request; one request sees one time. */
  now: Date;
  correlationId: string;
  /** Do something after the reply, still within this invocation. A rejection is logged. */
  after(work: () => Promise<unknown>): void;
}
