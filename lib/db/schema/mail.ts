import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, smallint, text, uuid } from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

/**
 * Codes that were mailed: one live row for each purpose and subject, and of reset codes one for each
 * mail. The code itself is derived from `id` and stands nowhere. A consumed code's row is gone.
 */
export const mailCodes = pgTable(
  "mail_codes",
  {
    purpose: text("purpose").notNull(),
    /** Whom the code is for: a user id, or the keyed hash of an address. Of a reset code, its own id. */
    subject: text("subject").notNull(),
    id: uuid("id").notNull().unique(),
    /**
     * Null where no account has the address: such a code is never sent and never matches. A reset code
     * names none: its account is looked up when it is shown.
     */
    userId: uuid("user_id").references(() => users.id, { onDelete: "cascade" }),
    email: text("email").notNull(),
    /** The device that asked for a reset. */
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

/** Changes of a bound address, each of which the old address may take back until `expiresAt`. */
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
  ],
);

/**
 * When an address was sent its last mails, as many as a day allows; and when its last reset mails were
 * asked for, by address and by the IP address that asked. `addressHash` tells which.
 */
export const mailBudgets = pgTable(
  "mail_budgets",
  {
    addressHash: text("address_hash").primaryKey(),
    admittedAt: at("admitted_at").array().notNull(),
    lastAdmittedAt: at("last_admitted_at").notNull(),
  },
  (table) => [index("mail_budgets_last_admitted_at_idx").on(table.lastAdmittedAt)],
);

/** Addresses that mail must not be sent to any more. */
export const suppressedAddresses = pgTable("suppressed_addresses", {
  addressHash: text("address_hash").primaryKey(),
  reason: text("reason", { enum: ["bounced", "complained"] }).notNull(),
  createdAt: at("created_at").notNull(),
});

/** Webhook deliveries that were taken, so that each is taken once. */
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
