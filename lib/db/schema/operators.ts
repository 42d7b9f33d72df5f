import { sql } from "drizzle-orm";
import { index, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

/** What machines operate with, under names. The secret half of a token stands nowhere. */
export const operatorTokens = pgTable(
  "operator_tokens",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull(),
    /** Keyed, and with the name of the data key in front. */
    secretHash: text("secret_hash").notNull(),
    /** `flag:change`, `block:*`, `*:read`. */
    scopes: text("scopes").array().notNull(),
    createdBy: uuid("created_by")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    createdAt: at("created_at").notNull(),
    expiresAt: at("expires_at").notNull(),
    /** To the minute. */
    lastUsedAt: at("last_used_at"),
    revokedAt: at("revoked_at"),
  },
  (table) => [
    uniqueIndex("operator_tokens_name_key").on(table.name).where(sql`${table.revokedAt} is null`),
    index("operator_tokens_created_by_idx").on(table.createdBy),
  ],
);
