import { bigint, index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** How each alert stands that was ever wrong, under `environment:rule:label`. */
export const alerts = pgTable("alerts", {
  key: text("key").primaryKey(),
  rule: text("rule").notNull(),
  /** Empty where a rule is one alert. */
  label: text("label").notNull(),
  state: text("state", { enum: ["inactive", "pending", "firing"] }).notNull(),
  /** Minutes in a row that were wrong, of those of which something is known. */
  badMinutes: integer("bad_minutes").notNull(),
  goodMinutes: integer("good_minutes").notNull(),
  /** The newest minute of which something is known. */
  knownMinute: at("known_minute").notNull(),
  /** The minute of the last transition. */
  since: at("since").notNull(),
  /** How urgent somebody was told that it is, and through what; null while nobody was told. */
  toldPriority: text("told_priority"),
  toldChannel: text("told_channel"),
  /** What was last measured, in words. */
  detail: text("detail").notNull(),
});

/** Every change of state with the minute that it is of. */
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

/** The gauges as they were in each of the last minutes; fractions are cut off. */
export const alertSamples = pgTable(
  "alert_samples",
  {
    minute: at("minute").notNull(),
    series: text("series").notNull(),
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.minute, table.series] })],
);

/** One row: the newest minutes that were evaluated, of the counters and of the samples. */
export const alertClock = pgTable("alert_clock", {
  name: text("name").primaryKey(),
  countedUntil: at("counted_until").notNull(),
  sampledUntil: at("sampled_until").notNull(),
});

/** Rules of which nobody is told until then. */
export const alertSilences = pgTable("alert_silences", {
  rule: text("rule").primaryKey(),
  until: at("until").notNull(),
});
