import { sql } from "drizzle-orm";
import { index, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { Platform } from "../../env.js";
import { at } from "./columns.js";

export const deployments = pgTable("deployments", {
  /** Vercel's ID (`dpl_…`), elsewhere the platform and the SHA. */
  id: text("id").primaryKey(),
  platform: text("platform").$type<Platform>().notNull(),
  sha: text("sha"),
  version: text("version"),
  url: text("url"),
  /** The first line of the commit message. */
  reason: text("reason"),
  firstServedAt: at("first_served_at"),
  lastServedAt: at("last_served_at"),
  migrationHead: text("migration_head"),
  /** The names of the variables that were set, each with a keyed hash of its value. */
  environment: jsonb("environment").$type<Record<string, string>>(),
  /** Schedules by path. */
  crons: jsonb("crons").$type<Record<string, string>>(),
});

const deploymentEventKinds = [
  "requested",
  "ready",
  "live",
  "rolled_back",
  "failed",
  "cancelled",
] as const;

/** Only added to: the state of a deployment follows from the moments, so the order of arrival does not matter. */
export const deploymentEvents = pgTable(
  "deployment_events",
  {
    deploymentId: text("deployment_id")
      .notNull()
      .references(() => deployments.id, { onDelete: "cascade" }),
    kind: text("kind", { enum: deploymentEventKinds }).notNull(),
    at: at("at").notNull(),
    /** The platform's user ID. */
    actor: text("actor"),
    source: text("source", { enum: ["webhook", "reconcile", "request"] }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deploymentId, table.kind, table.at] }),
    index("deployment_events_at_idx").on(table.at.desc()),
    index("deployment_events_live_idx")
      .on(table.at.desc(), table.deploymentId.desc())
      .where(sql`${table.kind} = 'live'`),
  ],
);
