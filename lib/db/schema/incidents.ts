import { index, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

export const incidents = pgTable(
  "incidents",
  {
    id: uuid("id").primaryKey(),
    title: text("title").notNull(),
    severity: text("severity", { enum: ["P1", "P2", "P3"] }).notNull(),
    openedAt: at("opened_at").notNull(),
    openedBy: text("opened_by").notNull(),
    closedAt: at("closed_at"),
  },
  (table) => [index("incidents_opened_at_idx").on(table.openedAt.desc())],
);

export const incidentNotes = pgTable(
  "incident_notes",
  {
    id: uuid("id").primaryKey(),
    incidentId: uuid("incident_id")
      .notNull()
      .references(() => incidents.id, { onDelete: "cascade" }),
    at: at("at").notNull(),
    /** A user id or the id of an operator token. */
    author: text("author").notNull(),
    text: text("text").notNull(),
  },
  (table) => [index("incident_notes_incident_idx").on(table.incidentId, table.at)],
);
