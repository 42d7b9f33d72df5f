import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  pgTable,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** Versions of `flags` and `blocks`, which Redis mirrors. Every change locks its row first. */
export const mirrorVersions = pgTable("mirror_versions", {
  name: text("name", { enum: ["flags", "blocks"] }).primaryKey(),
  version: bigint("version", { mode: "number" }).notNull(),
});

export const flags = pgTable("flags", {
  name: text("name").primaryKey(),
  kind: text("kind", { enum: ["kill_switch", "feature"] }).notNull(),
  enabled: boolean("enabled").notNull(),
  /** Also sent to unauthenticated callers. */
  isPublic: boolean("is_public").notNull().default(false),
  percentage: smallint("percentage").notNull().default(100),
  users: text("users").array().notNull().default(sql`'{}'`),
  version: integer("version").notNull().default(1),
  updatedBy: text("updated_by").notNull(),
  updatedAt: at("updated_at").notNull(),
});

export const blocks = pgTable(
  "blocks",
  {
    id: uuid("id").primaryKey(),
    kind: text("kind", { enum: ["ip", "cidr", "user"] }).notNull(),
    /** `203.0.113.0/24`, `203.0.113.7/32` or `user:<id>`. */
    value: text("value").notNull(),
    reason: text("reason").notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: at("created_at").notNull(),
    expiresAt: at("expires_at").notNull(),
    endedAt: at("ended_at"),
  },
  (table) => [
    uniqueIndex("blocks_standing_key").on(table.value).where(sql`${table.endedAt} is null`),
    index("blocks_expires_at_idx").on(table.expiresAt),
  ],
);

/** One row. Sessions created before `revokeAllBefore` are revoked; a restore is in progress while its begin is the later one. */
export const securitySettings = pgTable("security_settings", {
  id: boolean("id").primaryKey().default(true),
  revokeAllBefore: at("revoke_all_before").notNull(),
  restoreBegunAt: at("restore_begun_at").notNull(),
  restoreFinishedAt: at("restore_finished_at").notNull(),
  /** Null: the restore program could not read the erasures beside the backups. */
  erasuresHandedOverAt: at("erasures_handed_over_at"),
});
