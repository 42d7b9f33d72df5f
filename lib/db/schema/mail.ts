import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, smallint, text, uuid } from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

/** The code is derived from `id`, never stored. The row of a consumed code is deleted. */
export const mailCodes = pgTable(
  "mail_codes",
  {
    purpose: text("purpose").notNull(),
    /** A user id or the keyed hash of an address; for a reset code its own id. */
    subject: text("subject").notNull(),
    id: uuid("id").notNull().unique(),
    /** Null without an account: never sent, never matches. A reset code has none, and selects the account when it is used. */
    userId: uuid("user_id").references(() => users.id, { onDelete: "cascade" }),
    email: text("email").notNull(),
    deviceId: text("device_id"),
    attempts: smallint("attempts").notNull().default(0),
    createdAt: at("created_at").notNull(),
    expiresAt: at("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.purpose, table.subject] }),
    index("mail_codes_expires_at_idx").on(table.expiresAt),
    index("mail_codes_reset_email_idx").on(table.email).where(sql`purpose = 'reset_password'`),
    index("mail_codes_user_idx").on(table.userId).where(sql`${table.userId} is not null`),
  ],
);

/** Each can be undone by the old address until `expiresAt`. */
export const emailChanges = pgTable(
  "email_changes",
  {
    id: uuid("id").primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    oldEmail: text("old_email").notNull(),
    createdAt: at("created_at").notNull(),
    expiresAt: at("expires_at").notNull(),
    undoneAt: at("undone_at"),
  },
  (table) => [
    index("email_changes_user_idx").on(table.userId, table.createdAt),
    index("email_changes_expires_at_idx").on(table.expiresAt),
    index("email_changes_old_email_idx").on(table.oldEmail),
  ],
);

/** Recent mails per address, and reset requests per address and per IP address. */
export const mailBudgets = pgTable(
  "mail_budgets",
  {
    addressHash: text("address_hash").primaryKey(),
    admittedAt: at("admitted_at").array().notNull(),
    lastAdmittedAt: at("last_admitted_at").notNull(),
  },
  (table) => [index("mail_budgets_last_admitted_at_idx").on(table.lastAdmittedAt)],
);

export const suppressedAddresses = pgTable(
  "suppressed_addresses",
  {
    addressHash: text("address_hash").primaryKey(),
    reason: text("reason", { enum: ["bounced", "complained"] }).notNull(),
    createdAt: at("created_at").notNull(),
  },
  (table) => [index("suppressed_addresses_age_idx").on(table.createdAt, table.addressHash)],
);
