import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** Show up to which time a restored copy has data. */
export const backupCanaries = pgTable(
  "backup_canaries",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    at: at("at").notNull().default(sql`now()`),
  },
  (table) => [index("backup_canaries_at_idx").on(table.at)],
);

/** At most one is running. */
export const restoreDrills = pgTable(
  "restore_drills",
  {
    id: uuid("id").primaryKey(),
    startedAt: at("started_at").notNull(),
    /** `cron`, or the ID of an operator. */
    startedBy: text("started_by").notNull(),
    /** The time to restore to. */
    targetAt: at("target_at").notNull(),
    step: text("step").notNull(),
    stepStartedAt: at("step_started_at").notNull(),
    /** A fencing token, greater for each run of a step: writes with an older one are ignored. */
    token: integer("token").notNull().default(0),
    heldUntil: at("held_until").notNull(),
    copyName: text("copy_name").notNull(),
    copyId: text("copy_id"),
    /** Pending operations of the backup store. */
    operations: text("operations").array().notNull().default(sql`'{}'`),
    /** What the copy must contain, read from the live database at the start. */
    expected: jsonb("expected").notNull(),
    auditVerifiedTo: bigint("audit_verified_to", { mode: "number" }).notNull().default(0),
    findings: jsonb("findings").notNull().default([]),
    /** Names of copies of earlier drills that this one found, to delete them. */
    leftovers: text("leftovers").array().notNull().default(sql`'{}'`),
    /** Of the last attempt of a step. */
    lastError: text("last_error"),
    provenAt: at("proven_at"),
    rpoSeconds: integer("rpo_seconds"),
    succeeded: boolean("succeeded"),
    finishedAt: at("finished_at"),
  },
  (table) => [
    uniqueIndex("restore_drills_running_key")
      .on(sql`(true)`)
      .where(sql`${table.finishedAt} is null`),
    index("restore_drills_started_at_idx").on(table.startedAt),
  ],
);
