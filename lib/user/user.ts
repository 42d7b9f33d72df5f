import { eq, getTableColumns, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { prepared } from "../db/database.js";
import { users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";

export const User = z
  .strictObject({
    id: z.uuid(),
    email: z.string().nullable(),
    emailVerified: z.boolean(),
    emailUndeliverable: z.boolean(),
    name: z.string(),
    avatarUrl: z.string().nullable(),
    role: z.enum(["user", "operator", "admin"]),
    nativeLanguage: z.string().nullable(),
    targetLanguage: z.string().nullable(),
    level: z.string().nullable(),
    goals: z.array(z.string()),
    interests: z.array(z.string()),
    topics: z.array(z.string()),
    dailyGoalMinutes: z.int(),
    timeZone: z.string(),
    reminderTime: z.string().nullable(),
    isPremium: z.boolean(),
    onboardingCompleted: z.boolean(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "User" });
export type User = z.infer<typeof User>;

export type UserRow = typeof users.$inferSelect;

/** The columns that `presentUser` shows: the cost of a read grows with its columns. */
const shown = {
  id: users.id,
  email: users.email,
  claimedEmail: users.claimedEmail,
  emailUndeliverable: users.emailUndeliverable,
  name: users.name,
  avatarUrl: users.avatarUrl,
  role: users.role,
  nativeLanguage: users.nativeLanguage,
  targetLanguage: users.targetLanguage,
  level: users.level,
  goals: users.goals,
  interests: users.interests,
  topics: users.topics,
  dailyGoalMinutes: users.dailyGoalMinutes,
  timeZone: users.timeZone,
  reminderTime: users.reminderTime,
  isPremium: users.isPremium,
  onboardingCompleted: users.onboardingCompleted,
  createdAt: users.createdAt,
};

type ShownUser = Pick<UserRow, keyof typeof shown>;

/** Throws `session_revoked` for a deleted account, not `not_found`. */
export async function getUser(ctx: Context, id: string): Promise<User> {
  const [row] = await shownById(ctx.db).execute({ id });
  if (!row) throw new AppError("session_revoked");
  return presentUser(row);
}

export async function requireUser(ctx: Context, id: string): Promise<UserRow> {
  const [row] = await byId(ctx.db).execute({ id });
  if (!row) throw new AppError("session_revoked");
  return row;
}

/** A claimed address is shown to its claimant as not verified. */
export function presentUser(row: ShownUser): User {
  return {
    id: row.id,
    email: row.email ?? row.claimedEmail,
    emailVerified: row.email !== null,
    emailUndeliverable: row.emailUndeliverable,
    name: row.name,
    avatarUrl: row.avatarUrl,
    role: row.role,
    nativeLanguage: row.nativeLanguage,
    targetLanguage: row.targetLanguage,
    level: row.level,
    goals: row.goals,
    interests: row.interests,
    topics: row.topics,
    dailyGoalMinutes: row.dailyGoalMinutes,
    timeZone: row.timeZone,
    reminderTime: row.reminderTime,
    isPremium: row.isPremium,
    onboardingCompleted: row.onboardingCompleted,
    createdAt: row.createdAt.toISOString(),
  };
}

/** Parses `row_to_json(users)`. */
export function userFromJson(json: unknown): UserRow {
  const jsonRow = json as Record<string, unknown>;
  const fields = Object.entries(getTableColumns(users)).map(([name, column]) => {
    const value = jsonRow[column.name];
    return [name, value === null ? null : column.mapFromDriverValue(value)];
  });
  return Object.fromEntries(fields);
}

const byId = prepared((db) =>
  db
    .select()
    .from(users)
    .where(eq(users.id, sql.placeholder("id")))
    .prepare("user_by_id"),
);

const shownById = prepared((db) =>
  db
    .select(shown)
    .from(users)
    .where(eq(users.id, sql.placeholder("id")))
    .prepare("shown_user_by_id"),
);
