import { sql } from "drizzle-orm";
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

/** TOTP, at most one per user; active once confirmed. */
export const secondFactors = pgTable("second_factors", {
  userId: uuid("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  id: uuid("id").notNull(),
  sealedSecret: text("sealed_secret").notNull(),
  createdAt: at("created_at").notNull(),
  confirmedAt: at("confirmed_at"),
  /** The newest time step used: a code is valid once. */
  lastUsedStep: bigint("last_used_step", { mode: "number" }).notNull().default(0),
});

/** Deleted with the second factor. */
export const recoveryCodes = pgTable(
  "recovery_codes",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => secondFactors.userId, { onDelete: "cascade" }),
    /** `<data key id>.<keyed hash>`. */
    codeHash: text("code_hash").notNull(),
    createdAt: at("created_at").notNull(),
    usedAt: at("used_at"),
  },
  (table) => [primaryKey({ columns: [table.userId, table.codeHash] })],
);

/** `account` is a keyed hash or an ID; `accountId` the account with the e-mail address of a failed sign-in. */
type SecurityEventData = Record<string, string | number> & { accountId?: string };

/** `count` equal events are one row. */
export const securityEvents = pgTable(
  "security_events",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    at: at("at").notNull(),
    event: text("event").notNull(),
    count: integer("count").notNull(),
    userId: uuid("user_id"),
    ip: text("ip"),
    route: text("route"),
    correlationId: text("correlation_id").notNull(),
    data: jsonb("data").$type<SecurityEventData>().notNull().default({}),
  },
  (table) => [
    index("security_events_at_idx").on(table.at),
    index("security_events_user_idx")
      .on(table.userId, table.at)
      .where(sql`${table.userId} is not null`),
    index("security_events_correlation_idx").on(table.correlationId),
    index("security_events_ip_idx").on(table.ip, table.at).where(sql`${table.ip} is not null`),
    // Not partial: the planner ignores the statistics of a partial index, and would read all events by time.
    index("security_events_account_idx").on(sql`(${table.data} ->> 'account')`, table.at),
    index("security_events_account_id_idx").on(sql`(${table.data} ->> 'accountId')`, table.at),
  ],
);

/** No names or addresses; `ipPrefix` is a /24 or /48. Triggers reject changes, except by `retire_audit_rows`. */
export const auditLog = pgTable(
  "audit_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: at("at").notNull().default(sql`clock_timestamp()`),
    actorKind: text("actor_kind", { enum: ["user", "operator", "system"] }).notNull(),
    actorId: text("actor_id"),
    action: text("action").notNull(),
    subjectId: text("subject_id"),
    reason: text("reason"),
    correlationId: text("correlation_id").notNull(),
    ipPrefix: text("ip_prefix"),
  },
  (table) => [
    index("audit_log_subject_idx").on(table.subjectId, table.id.desc()),
    index("audit_log_actor_idx").on(table.actorId, table.id.desc()),
    index("audit_log_correlation_idx").on(table.correlationId),
    index("audit_log_action_idx").on(table.action, table.id.desc()),
    index("audit_log_at_idx").on(table.at),
  ],
);

/** Each covers the rows `firstId` to `lastId` and the previous seal. Triggers reject changes. */
export const auditSeals = pgTable(
  "audit_seals",
  {
    firstId: bigint("first_id", { mode: "number" }).notNull(),
    lastId: bigint("last_id", { mode: "number" }).primaryKey(),
    rows: integer("rows").notNull(),
    hash: text("hash").notNull(),
    /** The hash of the previous seal; unique, so that of concurrent writers one succeeds. */
    previous: text("previous").notNull().unique(),
    hmac: text("hmac").notNull(),
    keyId: text("key_id").notNull(),
    at: at("at").notNull(),
  },
  (table) => [index("audit_seals_at_idx").on(table.at)],
);

/** Audit rows up to `lastId` were deleted, older than `ageDays`. Triggers reject changes. */
export const auditRetirements = pgTable("audit_retirements", {
  lastId: bigint("last_id", { mode: "number" }).primaryKey(),
  ageDays: integer("age_days").notNull(),
  hmac: text("hmac").notNull(),
  keyId: text("key_id").notNull(),
  at: at("at").notNull(),
});
