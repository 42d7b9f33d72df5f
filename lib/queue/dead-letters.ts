import { type SQL, sql } from "drizzle-orm";
import { queueEntries } from "../db/schema/queue.js";

/** Entries with a key are jobs; those without are messages: mails and alert notices. */
export const isJob = sql`key is not null`;
export const isMessage = sql`key is null`;

export const isDead = sql`dead_at is not null`;

/** The part of a statement that resets dead letters to be tried again. Safe to repeat. */
export const retryDead = (which: SQL) => sql`
  update ${queueEntries} set dead_at = null, attempts = 0, run_after = now(), leased_until = null
  where ${isDead} and ${which}
  returning 1`;
