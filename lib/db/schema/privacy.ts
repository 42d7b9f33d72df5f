import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

/**
 * One row for each version of the terms that a user has accepted. An account without a row accepted version 1 at
 * `accepted_terms_at`.
 */
export const consents = pgTable(
  "consents",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text("kind", { enum: ["terms"] }).notNull(),
    version: text("version").notNull(),
    acceptedAt: at("accepted_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.kind, table.version] })],
);

/** Receipts of erased accounts: the ID and nothing else. */
export const erasures = pgTable(
  "erasures",
  {
    userId: uuid("user_id").primaryKey(),
    erasedAt: at("erased_at").notNull(),
  },
  (table) => [index("erasures_erased_at_idx").on(table.erasedAt)],
);

/** Those that the restore program has read beside the backups, until the restore is finished. */
export const restoredErasures = pgTable("restored_erasures", {
  userId: uuid("user_id").primaryKey(),
  erasedAt: at("erased_at").notNull(),
});

/** SQL over `users`: past its date by over two runs of the purge. */
export const isOverdueDeletion = sql<boolean>`${users.purgeAt} < now() - interval '2 hours'`;
