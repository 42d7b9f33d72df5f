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

/** Increments per minute; a request counts in the minute in which it ended. */
export const telemetryMinutes = pgTable(
  "telemetry_minutes",
  {
    minute: at("minute").notNull(),
    series: text("series").notNull(),
    value: bigint("value", { mode: "number" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.minute, table.series] }),
    index("telemetry_minutes_security_idx")
      .on(table.minute)
      .where(sql`starts_with(${table.series}, 'security_events_total')`),
  ],
);

export const telemetryGauges = pgTable("telemetry_gauges", {
  series: text("series").primaryKey(),
  value: doublePrecision("value").notNull(),
  measuredAt: at("measured_at").notNull(),
});

/** One row. Events that Redis accepted before `drainedUntil` are in the tables. */
export const drainState = pgTable("drain_state", {
  name: text("name").primaryKey(),
  cursor: text("cursor").notNull(),
  drainedUntil: at("drained_until").notNull(),
});

export const accessLog = pgTable(
  "access_log",
  {
    id: bigint("id", { mode: "number" }).notNull().default(sql`nextval('access_log_id_seq')`),
    insertedAt: at("inserted_at").notNull().default(sql`now()`),
    at: at("at").notNull(),
    count: integer("count").notNull(),
    /** 10 when sampling left out nine other rows. */
    oneIn: integer("one_in").notNull(),
    /** Null in a row of several requests, like other values in which they differ. */
    correlationId: text("correlation_id"),
    route: text("route").notNull(),
    method: text("method").notNull(),
    status: integer("status").notNull(),
    code: text("code"),
    /** The mean of `count` requests. */
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
