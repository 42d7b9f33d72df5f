import { sql } from "drizzle-orm";
import {
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

export const cronLeases = pgTable("cron_leases", {
  job: text("job").primaryKey(),
  /** A fencing token: writes with a smaller one are rejected. */
  token: integer("token").notNull(),
  slot: at("slot").notNull(),
  heldUntil: at("held_until").notNull(),
  doneSlot: at("done_slot"),
});

export const cronRuns = pgTable(
  "cron_runs",
  {
    job: text("job").notNull(),
    /** The minute or hour that the run was due, by the clock of the database. */
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

/** One-time jobs: see lib/queue. */
export const jobs = pgTable(
  "jobs",
  {
    id: uuid("id").primaryKey(),
    kind: text("kind").notNull(),
    key: text("key").notNull().unique(),
    payload: jsonb("payload").notNull(),
    correlationId: text("correlation_id").notNull(),
    createdAt: at("created_at").notNull().default(sql`now()`),
    runAfter: at("run_after").notNull().default(sql`now()`),
    /** Also the fencing token of the current worker. */
    attempts: smallint("attempts").notNull().default(0),
    leasedUntil: at("leased_until"),
    doneAt: at("done_at"),
    deadAt: at("dead_at"),
    lastError: text("last_error"),
  },
  (table) => [
    index("jobs_due_idx")
      .on(table.runAfter)
      .where(sql`${table.doneAt} is null and ${table.deadAt} is null`),
    index("jobs_done_at_idx").on(table.doneAt).where(sql`${table.doneAt} is not null`),
    index("jobs_dead_at_idx").on(table.deadAt).where(sql`${table.deadAt} is not null`),
  ],
);
