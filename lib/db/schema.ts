import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  pgTable,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

const at = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/**
 * People. `email` is a confirmed (bound) address, unique; `claimedEmail` is what someone typed at
 * registration, any number of accounts may claim the same one. Both hold the canonical form.
 */
export const users = pgTable(
  "users",
  {
    id: uuid("id").primaryKey(),
    email: text("email"),
    claimedEmail: text("claimed_email"),
    /** The device that made the claim: it may sign in although others claim the same address. */
    claimDevice: text("claim_device"),
    emailUndeliverable: boolean("email_undeliverable").notNull().default(false),
    passwordHash: text("password_hash"),
    role: text("role", { enum: ["user", "operator", "admin"] })
      .notNull()
      .default("user"),
    name: text("name").notNull(),
    avatarUrl: text("avatar_url"),
    nativeLanguage: text("native_language"),
    targetLanguage: text("target_language"),
    level: text("level"),
    goals: text("goals").array().notNull().default(sql`'{}'`),
    interests: text("interests").array().notNull().default(sql`'{}'`),
    topics: text("topics").array().notNull().default(sql`'{}'`),
    dailyGoalMinutes: smallint("daily_goal_minutes").notNull().default(10),
    timeZone: text("time_zone").notNull().default("UTC"),
    reminderTime: text("reminder_time"),
    isPremium: boolean("is_premium").notNull().default(false),
    onboardingCompleted: boolean("onboarding_completed").notNull().default(false),
    acceptedTermsAt: at("accepted_terms_at"),
    createdAt: at("created_at").notNull().defaultNow(),
    updatedAt: at("updated_at").notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("users_email_key").on(table.email),
    index("users_claimed_email_idx")
      .on(table.claimedEmail)
      .where(sql`${table.claimedEmail} is not null`),
  ],
);

/**
 * Signed-in devices: the record behind the Redis key `session:<id>`. `redisGeneration` is the value of
 * the `gate` hash's `generation` under which that key was written; null while it has not been written.
 */
export const sessions = pgTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    refreshCounter: integer("refresh_counter").notNull().default(0),
    deviceId: text("device_id"),
    deviceName: text("device_name"),
    devicePlatform: text("device_platform"),
    appVersion: text("app_version"),
    ipPrefix: text("ip_prefix"),
    authMethods: text("auth_methods").array().notNull(),
    authenticatedAt: at("authenticated_at").notNull(),
    redisGeneration: text("redis_generation"),
    createdAt: at("created_at").notNull(),
    lastSeenAt: at("last_seen_at").notNull(),
    idleExpiresAt: at("idle_expires_at").notNull(),
    /** Null for guests, whose sessions have no absolute end. */
    expiresAt: at("expires_at"),
    revokedAt: at("revoked_at"),
    revokedReason: text("revoked_reason"),
  },
  (table) => [
    index("sessions_live_by_user_idx").on(table.userId).where(sql`${table.revokedAt} is null`),
    index("sessions_idle_expires_at_idx").on(table.idleExpiresAt),
  ],
);

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
