import { sql } from "drizzle-orm";
import { index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

export const cronLeases = pgTable("cron_leases", {
  job: text("job").primaryKey(),
  /** A fencing token, greater for each holder: writes with an older one are rejected. */
  token: integer("token").notNull(),
  slot: at("slot").notNull(),
  heldUntil: at("held_until").notNull(),
  doneSlot: at("done_slot"),
});

export const cronRuns = pgTable(
  "cron_runs",
  {
    job: text("job").notNull(),
    /** The minute, hour, day or month that the run was due, by the clock of the database. */
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

/** Where a job that needs several runs continues. */
export const cronCursors = pgTable("cron_cursors", {
  name: text("name").primaryKey(),
  position: text("position").notNull(),
});
