import { sql } from "drizzle-orm";
import { boolean, index, jsonb, pgTable, smallint, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** Work queued in the transaction of the change that needs it. A done entry is deleted; one with a key, a job, is kept for some days. */
export const queueEntries = pgTable(
  "queue_entries",
  {
    id: uuid("id").primaryKey(),
    kind: text("kind").notNull(),
    payload: jsonb("payload").notNull(),
    /** False for a mail that is never sent: an unknown address then costs what a known one costs. */
    send: boolean("send").notNull().default(true),
    correlationId: text("correlation_id").notNull(),
    createdAt: at("created_at").notNull().default(sql`now()`),
    /** The next sweep after this time deletes the entry, done or not. */
    expiresAt: at("expires_at"),
    /** It can be claimed from this time on: moved by each lease and each backoff. */
    runAfter: at("run_after").notNull().default(sql`now()`),
    /** The number of claims, which is also the fencing token of the lease. */
    attempts: smallint("attempts").notNull().default(0),
    /** When a mail was counted in its address's budget: once, also when it is retried. */
    admittedAt: at("admitted_at"),
    deadAt: at("dead_at"),
    lastError: text("last_error"),
    /** Unique: a second entry with the same key is ignored. */
    key: text("key").unique(),
    leasedUntil: at("leased_until"),
    doneAt: at("done_at"),
  },
  (table) => [
    index("queue_entries_due_idx")
      .on(table.kind, table.runAfter)
      .where(sql`${table.send} and ${table.doneAt} is null and ${table.deadAt} is null`),
    index("queue_entries_waiting_jobs_idx")
      .on(table.runAfter, table.id)
      .where(sql`${table.key} is not null and ${table.doneAt} is null and ${table.deadAt} is null`),
    index("queue_entries_expires_at_idx").on(table.expiresAt),
    index("queue_entries_dead_at_idx").on(table.deadAt).where(sql`${table.deadAt} is not null`),
    index("queue_entries_done_at_idx").on(table.doneAt).where(sql`${table.doneAt} is not null`),
  ],
);
