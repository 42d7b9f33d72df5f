import { sql } from "drizzle-orm";
import {
  boolean,
  index,
  integer,
  pgTable,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** `email` is verified and unique; several accounts may claim the same `claimedEmail`. Both are canonical. */
export const users = pgTable(
  "users",
  {
    id: uuid("id").primaryKey(),
    email: text("email"),
    claimedEmail: text("claimed_email"),
    /** The device of the claim, where the password alone opens it; null when none was named. */
    claimDevice: text("claim_device"),
    /** Null in older rows: use `createdAt`. */
    claimedAt: at("claimed_at"),
    isGuest: boolean("is_guest").notNull().default(false),
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
    suspendedAt: at("suspended_at"),
    purgeAt: at("purge_at"),
    /** The deletion that is pending; its cancel token is derived from it. */
    deletionId: uuid("deletion_id"),
    mergedInto: uuid("merged_into"),
    /** In effect until `timeZoneFrom`. */
    previousTimeZone: text("previous_time_zone"),
    timeZoneFrom: at("time_zone_from"),
    timeZoneChangedAt: at("time_zone_changed_at"),
    acceptedTermsAt: at("accepted_terms_at"),
    createdAt: at("created_at").notNull().default(sql`now()`),
    updatedAt: at("updated_at").notNull().default(sql`now()`),
  },
  (table) => [
    uniqueIndex("users_email_key").on(table.email),
    index("users_claimed_email_idx")
      .on(table.claimedEmail)
      .where(sql`${table.claimedEmail} is not null`),
    index("users_purge_at_idx").on(table.purgeAt).where(sql`${table.purgeAt} is not null`),
    uniqueIndex("users_deletion_id_key")
      .on(table.deletionId)
      .where(sql`${table.deletionId} is not null`),
    index("users_merged_into_idx").on(table.mergedInto).where(sql`${table.mergedInto} is not null`),
    index("users_operators_idx").on(table.role).where(sql`${table.role} <> 'user'`),
  ],
);

/** The durable record of `session:<id>` in Redis. */
export const sessions = pgTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    refreshCounter: integer("refresh_counter").notNull().default(0),
    rotationHash: text("rotation_hash"),
    /** Hashed Rotation-Ids of concurrent refreshes on the same device: their replies may be lost, too. */
    concurrentHashes: text("concurrent_hashes").array(),
    /** When a concurrent refresh was last accepted. */
    concurrentAt: at("concurrent_at"),
    rotatedAt: at("rotated_at"),
    rotatedDevice: text("rotated_device"),
    /** The last repeated reply for a client without a Rotation-Id. */
    repeatedAt: at("repeated_at"),
    repeatedCounter: integer("repeated_counter"),
    deviceId: text("device_id"),
    deviceName: text("device_name"),
    devicePlatform: text("device_platform"),
    appVersion: text("app_version"),
    ipPrefix: text("ip_prefix"),
    country: text("country"),
    authMethods: text("auth_methods").array().notNull(),
    authenticatedAt: at("authenticated_at").notNull(),
    createdAt: at("created_at").notNull(),
    /** The last rotation, or the sign-in. */
    lastSeenAt: at("last_seen_at").notNull(),
    idleExpiresAt: at("idle_expires_at").notNull(),
    /** Null for guests. */
    expiresAt: at("expires_at"),
    revokedAt: at("revoked_at"),
    revokedReason: text("revoked_reason"),
  },
  (table) => [
    index("sessions_live_by_user_idx").on(table.userId).where(sql`${table.revokedAt} is null`),
    index("sessions_network_idx")
      .on(table.ipPrefix, table.createdAt)
      .where(sql`${table.ipPrefix} is not null`),
    index("sessions_user_device_idx").on(table.userId, table.deviceId),
    index("sessions_revoked_at_idx").on(table.revokedAt).where(sql`${table.revokedAt} is not null`),
  ],
);
