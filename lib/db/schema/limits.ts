import { bigint, index, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";

/** The strict limits' counters while Redis cannot answer; `key` names the window too. */
export const rateLimits = pgTable(
  "rate_limits",
  {
    key: text("key").primaryKey(),
    used: integer("used").notNull(),
    resetsAtMs: bigint("resets_at_ms", { mode: "number" }).notNull(),
  },
  (table) => [index("rate_limits_resets_at_ms_idx").on(table.resetsAtMs)],
);

/** The growing delay of each account while Redis cannot answer. */
export const loginDelays = pgTable(
  "login_delays",
  {
    key: text("key").primaryKey(),
    failures: integer("failures").notNull(),
    delayedUntilMs: bigint("delayed_until_ms", { mode: "number" }).notNull(),
    expiresAtMs: bigint("expires_at_ms", { mode: "number" }).notNull(),
    /** Which attempt was let through last: how an attempt learns that it was. */
    lastReservation: uuid("last_reservation").notNull(),
    /** The IP address and the device that may pass the delay once, after a reset. */
    passIp: text("pass_ip"),
    passDevice: text("pass_device"),
    passUntilMs: bigint("pass_until_ms", { mode: "number" }).notNull().default(0),
    /** The attempt that has used it. */
    passTakenBy: uuid("pass_taken_by"),
  },
  (table) => [index("login_delays_expires_at_ms_idx").on(table.expiresAtMs)],
);
