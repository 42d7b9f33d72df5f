import { sql } from "drizzle-orm";
import { boolean, index, jsonb, pgTable, smallint, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/**
 * What is to be done later, written with the change that asks for it: see `lib/queue/`. An entry without a
 * key is deleted when it is done; one with a key, a job, is kept for a while, so that the key stays taken.
 */
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
    /** The entry is deleted then, done or not. */
    expiresAt: at("expires_at"),
    /** When it may be claimed: moved by each lease and each backoff. */
    runAfter: at("run_after").notNull().default(sql`now()`),
    /** How often it was claimed. The number is also the token of the lease. */
    attempts: smallint("attempts").notNull().default(0),
    /** When a mail was counted in its address's budget: once, however often it is tried. */
    admittedAt: at("admitted_at"),
    deadAt: at("dead_at"),
    lastError: text("last_error"),
    /** Of several entries that are queued under one key, one is kept. */
    key: text("key").unique(),
    leasedUntil: at("leased_until"),
    doneAt: at("done_at"),
  },
  (table) => [
    index("queue_entries_due_idx")
      .on(table.kind, table.runAfter)
      .where(sql`${table.send} and ${table.doneAt} is null and ${table.deadAt} is null`),
    index("queue_entries_expires_at_idx").on(table.expiresAt),
    index("queue_entries_dead_at_idx").on(table.deadAt).where(sql`${table.deadAt} is not null`),
    index("queue_entries_done_at_idx").on(table.doneAt).where(sql`${table.doneAt} is not null`),
  ],
);
