import { and, eq, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../audit/audit.js";
import type { AuditAction } from "../audit/audit-actions.js";
import type { Actor, Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { requiredRow } from "../db/required-row.js";
import { users } from "../db/schema/accounts.js";
import { writeOnce } from "../db/write-once.js";
import { AppError } from "../errors.js";
import { LanguageTag, TimeZone } from "./language-tag.js";
import { canChangeTimeZone, secondsUntilTimeZoneMayChange, timeZoneUpdate } from "./time-zone.js";
import { presentUser, type User, userFromJson } from "./user.js";

/** Level names of the app and the levels of the CEFR (Common European Framework) that they cover. */
const levelsByName = {
  beginner: ["A1", "A2"],
  intermediate: ["B1", "B2"],
  advanced: ["C1", "C2"],
} as const;
type LevelName = keyof typeof levelsByName;

const Level = z
  .enum(["A1", "A2", "B1", "B2", "C1", "C2", "beginner", "intermediate", "advanced"])
  .meta({ examples: ["B1"] });
type Level = z.infer<typeof Level>;

const listMax = 20;
const TextList = z
  .array(z.string().trim().min(1).max(64))
  .max(listMax)
  .meta({ examples: [["travel"]] })
  .transform((words) => [...new Set(words)]);

/** Shown to other users: HTTPS only, without credentials. */
const PictureUrl = z
  .url({ protocol: /^https$/, hostname: z.regexes.domain })
  .max(2048)
  .refine((text) => URL.canParse(text) && !hasCredentials(new URL(text)), {
    message: "The URL must not contain credentials.",
  });
const hasCredentials = ({ username, password }: URL) => username !== "" || password !== "";

const ReminderTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "Must be HH:MM, from 00:00 to 23:59.")
  .meta({ examples: ["18:30"] });

const answers = {
  nativeLanguage: LanguageTag,
  targetLanguage: LanguageTag,
  level: Level,
  goals: TextList,
  interests: TextList,
  topics: TextList,
  dailyGoalMinutes: z
    .int()
    .min(1)
    .max(240)
    .meta({ examples: [15] }),
  timeZone: TimeZone,
};

/** Null removes the picture or the reminder. */
export const ProfileChanges = z
  .strictObject({
    ...answers,
    name: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .meta({ examples: ["Ada"] }),
    avatarUrl: PictureUrl.nullable(),
    reminderTime: ReminderTime.nullable(),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, {
    message: "At least one field is required.",
  });
export type ProfileChanges = z.infer<typeof ProfileChanges>;

export const OnboardingAnswers = z.strictObject({
  ...answers,
  reminderTime: ReminderTime.nullable().optional(),
});
export type OnboardingAnswers = z.infer<typeof OnboardingAnswers>;

/** Audited. Throws `time_zone_changed_recently`, `session_revoked`. */
export async function updateProfile(
  ctx: Context,
  actor: Actor,
  changes: ProfileChanges,
): Promise<User> {
  return writeProfile(ctx, actor, "user.updated", changes);
}

/** Audited. Safe to repeat. Throws `time_zone_changed_recently`, `session_revoked`. */
export async function completeOnboarding(
  ctx: Context,
  actor: Actor,
  onboardingAnswers: OnboardingAnswers,
): Promise<User> {
  return writeProfile(ctx, actor, "user.onboarded", {
    ...onboardingAnswers,
    onboardingCompleted: true,
  });
}

async function writeProfile(
  ctx: Context,
  { userId }: Actor,
  action: AuditAction,
  { level, timeZone, ...plain }: ProfileChanges & { onboardingCompleted?: true },
): Promise<User> {
  const update = ctx.db
    .update(users)
    .set({
      ...plain,
      ...(level === undefined ? {} : { level: levelToStore(level) }),
      ...(timeZone === undefined ? {} : timeZoneUpdate(ctx, timeZone)),
      updatedAt: ctx.now,
    })
    .where(
      and(
        eq(users.id, userId),
        timeZone === undefined ? undefined : canChangeTimeZone(ctx, timeZone),
      ),
    )
    .returning();
  const audit = { actor: { kind: "user", id: userId }, action, subjectId: userId } as const;
  const write = ctx.db.execute<{ user: unknown }>(sql`
    with changed as ${update},
    audited as (${auditIfAny(ctx, audit, sql`changed`)})
    select (select row_to_json(changed) from changed) as user, ${requiredRow(sql`changed`)}`);
  try {
    const [{ rows }] = await writeOnce(ctx, userId, [write]);
    return presentUser(userFromJson(rows[0]?.user));
  } catch (error) {
    if (!lacksRequiredRow(error)) throw error;
    throw await updateError(ctx, userId);
  }
}

/** A name keeps the current level if it covers it, else sets the lower of its two. */
function levelToStore(level: Level): string | SQL {
  if (!isLevelName(level)) return level;
  const [lower, upper] = levelsByName[level];
  return sql`case when ${users.level} = ${upper} then ${users.level} else ${lower} end`;
}

const isLevelName = (level: Level): level is LevelName => level in levelsByName;

async function updateError(ctx: Context, userId: string): Promise<AppError> {
  const [user] = await ctx.db
    .select({ changedAt: users.timeZoneChangedAt })
    .from(users)
    .where(eq(users.id, userId));
  if (!user) return new AppError("session_revoked");
  const retryAfterSeconds = Math.max(1, secondsUntilTimeZoneMayChange(ctx, user.changedAt));
  return new AppError("time_zone_changed_recently", { retryAfterSeconds });
}
