import { bigint, index, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";

/** Counters of strict limits while Redis is down; `key` includes the window. */
export const rateLimits = pgTable(
  "rate_limits",
  {
    key: text("key").primaryKey(),
    used: integer("used").notNull(),
    resetsAtMs: bigint("resets_at_ms", { mode: "number" }).notNull(),
  },
  (table) => [index("rate_limits_resets_at_ms_idx").on(table.resetsAtMs)],
);

/** Delays of accounts while Redis is down. */
export const loginDelays = pgTable(
  "login_delays",
  {
    key: text("key").primaryKey(),
    failures: integer("failures").notNull(),
    delayedUntilMs: bigint("delayed_until_ms", { mode: "number" }).notNull(),
    expiresAtMs: bigint("expires_at_ms", { mode: "number" }).notNull(),
    /** The id of the attempt that was allowed last. */
    lastReservation: uuid("last_reservation").notNull(),
    passIp: text("pass_ip"),
    passDevice: text("pass_device"),
    passUntilMs: bigint("pass_until_ms", { mode: "number" }).notNull().default(0),
    passTakenBy: uuid("pass_taken_by"),
  },
  (table) => [index("login_delays_expires_at_ms_idx").on(table.expiresAtMs)],
);
