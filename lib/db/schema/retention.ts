import { bigint, index, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** What retention removed, per run and class of data. */
export const retentionRemovals = pgTable(
  "retention_removals",
  {
    /** The correlation ID of the run, which is in its log lines too. */
    run: text("run").notNull(),
    class: text("class").notNull(),
    rows: bigint("rows", { mode: "number" }).notNull(),
    /** The newest of these rows was of this moment. */
    removedTo: at("removed_to").notNull(),
    /** Of the last removal of the run. */
    at: at("at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.run, table.class] }),
    index("retention_removals_class_idx").on(table.class, table.at.desc()),
    index("retention_removals_at_idx").on(table.at),
  ],
);
