import { sql } from "drizzle-orm";
import {
  bigint,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** The running total of each counter series, under its name in Prometheus' text format. */
export const telemetryTotals = pgTable("telemetry_totals", {
  series: text("series").primaryKey(),
  value: bigint("value", { mode: "number" }).notNull(),
});

/** What each minute added to the totals; a minute is the one in which a request ended. */
export const telemetryMinutes = pgTable(
  "telemetry_minutes",
  {
    minute: at("minute").notNull(),
    series: text("series").notNull(),
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.minute, table.series] }),
    // A day of them is asked for each minute.
    index("telemetry_minutes_security_idx")
      .on(table.minute)
      .where(sql`starts_with(${table.series}, 'security_events_total')`),
  ],
);

/** The last value of each gauge, and when it was measured. */
export const telemetryGauges = pgTable("telemetry_gauges", {
  series: text("series").primaryKey(),
  value: doublePrecision("value").notNull(),
  measuredAt: at("measured_at").notNull(),
});

/** Where the drain stands: one row. Whatever Redis took before `drainedUntil` is in the tables. */
export const drainState = pgTable("drain_state", {
  name: text("name").primaryKey(),
  cursor: text("cursor").notNull(),
  drainedUntil: at("drained_until").notNull(),
});

/** Which batch of which process has been written: nothing is written twice, and a gap is a loss. */
export const drainedBatches = pgTable(
  "drained_batches",
  {
    instance: text("instance").notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    events: integer("events").notNull(),
    drainedAt: at("drained_at").notNull().default(sql`now()`),
  },
  (table) => [
    primaryKey({ columns: [table.instance, table.seq] }),
    index("drained_batches_drained_at_idx").on(table.drainedAt),
  ],
);

/** What was asked, by whom, and how it ended; partitioned by the day (UTC) of `insertedAt`. */
export const accessLog = pgTable(
  "access_log",
  {
    id: bigint("id", { mode: "number" }).notNull().default(sql`nextval('access_log_id_seq')`),
    insertedAt: at("inserted_at").notNull().default(sql`now()`),
    /** When the request ended; of several, the last. */
    at: at("at").notNull(),
    /** How many requests the row tells of. */
    count: integer("count").notNull(),
    /** 10 where nine such rows were left out. */
    oneIn: integer("one_in").notNull(),
    /** Null in a row of several requests, as is whatever they do not have in common. */
    correlationId: text("correlation_id"),
    route: text("route").notNull(),
    method: text("method").notNull(),
    status: integer("status").notNull(),
    code: text("code"),
    /** Of several: their mean. */
    durationMs: doublePrecision("duration_ms").notNull(),
    userHash: text("user_hash"),
    ipPrefix: text("ip_prefix"),
    limits: jsonb("limits").$type<Record<string, string>>(),
    externalCalls: jsonb("external_calls").$type<[string, string, string, number][]>(),
    tokenFailure: text("token_failure"),
    securityEvents: jsonb("security_events").$type<string[]>(),
    appVersion: text("app_version"),
    release: text("release").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.insertedAt, table.id] }),
    index("access_log_at_idx").on(table.at.desc(), table.id.desc()),
    index("access_log_correlation_idx").on(table.correlationId),
    index("access_log_user_idx")
      .on(table.userHash, table.at.desc(), table.id.desc())
      .where(sql`${table.userHash} is not null`),
  ],
);
