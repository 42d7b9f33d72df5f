import { bigint, index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** Key: `environment:rule:label`. */
export const alerts = pgTable("alerts", {
  key: text("key").primaryKey(),
  rule: text("rule").notNull(),
  label: text("label").notNull(),
  state: text("state", { enum: ["inactive", "pending", "firing"] }).notNull(),
  /** Consecutive bad minutes; minutes without data do not count. A pending alert without data for over 15 minutes starts again. */
  badMinutes: integer("bad_minutes").notNull(),
  goodMinutes: integer("good_minutes").notNull(),
  knownMinute: at("known_minute").notNull(),
  since: at("since").notNull(),
  /** Priority and channel of the last notification while the alert fires; else null. */
  toldPriority: text("told_priority"),
  toldChannel: text("told_channel"),
  detail: text("detail").notNull(),
});

export const alertTransitions = pgTable(
  "alert_transitions",
  {
    key: text("key").notNull(),
    minute: at("minute").notNull(),
    rule: text("rule").notNull(),
    label: text("label").notNull(),
    fromState: text("from_state").notNull(),
    toState: text("to_state").notNull(),
    detail: text("detail").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.key, table.minute] }),
    index("alert_transitions_minute_idx").on(table.minute),
  ],
);

export const alertSamples = pgTable(
  "alert_samples",
  {
    minute: at("minute").notNull(),
    series: text("series").notNull(),
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.minute, table.series] })],
);

/** One row: the newest evaluated minutes of counters and samples. */
export const alertClock = pgTable("alert_clock", {
  name: text("name").primaryKey(),
  countedUntil: at("counted_until").notNull(),
  sampledUntil: at("sampled_until").notNull(),
});

export const alertSilences = pgTable("alert_silences", {
  rule: text("rule").primaryKey(),
  until: at("until").notNull(),
});
