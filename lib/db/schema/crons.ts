import { sql } from "drizzle-orm";
import { index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** One row for each job of the clock: who holds it, and what was done last. */
export const cronLeases = pgTable("cron_leases", {
  job: text("job").primaryKey(),
  /** Grows with each holder: what is written under a smaller one is refused. */
  token: integer("token").notNull(),
  slot: at("slot").notNull(),
  heldUntil: at("held_until").notNull(),
  /** The newest slot of which all was done. */
  doneSlot: at("done_slot"),
});

/** What became of each slot, by the last of those who ran it. */
export const cronRuns = pgTable(
  "cron_runs",
  {
    job: text("job").notNull(),
    /** The minute or hour that it was due in, by the clock of the database. */
    slot: at("slot").notNull(),
    token: integer("token").notNull(),
    startedAt: at("started_at").notNull(),
    finishedAt: at("finished_at"),
    failedParts: text("failed_parts").array().notNull().default(sql`'{}'`),
  },
  (table) => [
    primaryKey({ columns: [table.job, table.slot] }),
    index("cron_runs_slot_idx").on(table.slot),
  ],
);

/** Where work that is longer than one run goes on. */
export const cronCursors = pgTable("cron_cursors", {
  name: text("name").primaryKey(),
  position: text("position").notNull(),
});
