import { index, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** Deliveries that were processed; the ID is the provider's, of `mail_delivered` a keyed hash of the address. */
export const webhookEvents = pgTable(
  "webhook_events",
  {
    source: text("source").notNull(),
    id: text("id").notNull(),
    receivedAt: at("received_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.source, table.id] }),
    index("webhook_events_received_at_idx").on(table.receivedAt),
  ],
);
