import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../audit/audit.js";
import type { Actor, Context } from "../context.js";
import { prepared } from "../db/database.js";
import { lacksRequiredRow } from "../db/failures.js";
import { requiredRow } from "../db/required-row.js";
import { users } from "../db/schema/accounts.js";
import { preferences } from "../db/schema/user-data.js";
import { timestamp } from "../db/timestamp.js";
import { writeOnce } from "../db/write-once.js";
import { AppError } from "../errors.js";

/** Relative weights; they need not add up to 100. */
const Share = z
  .number()
  .min(0)
  .max(100)
  .meta({ examples: [20] });
const Composition = z
  .strictObject({
    speaking: Share,
    listening: Share,
    reading: Share,
    writing: Share,
    grammar: Share,
    vocab: Share,
  })
  .refine((shares) => Object.values(shares).some((share) => share > 0), {
    message: "At least one skill must be greater than 0.",
  });

const Tag = z.string().regex(/^[\w-]{1,40}$/, "Must be 1 to 40 letters, digits, _ or -.");

export const PreferenceProfile = z
  .strictObject({
    version: z.literal(1),
    personas: z
      .array(Tag)
      .max(10)
      .meta({ examples: [["friendly_tutor"]] }),
    srs: z.strictObject({
      newPerDay: z
        .int()
        .min(5)
        .max(50)
        .meta({ examples: [10] }),
      reviewCap: z
        .int()
        .min(20)
        .max(300)
        .meta({ examples: [100] }),
      easeAdjPct: z
        .number()
        .min(-20)
        .max(20)
        .meta({ examples: [0] }),
    }),
    lessonPlan: z.strictObject({
      microLessonMins: z
        .int()
        .min(3)
        .max(15)
        .meta({ examples: [5] }),
      composition: Composition,
    }),
    speech: z.strictObject({
      ttsVoice: z
        .string()
        .min(1)
        .max(64)
        .meta({ examples: ["alloy"] }),
      rate: z
        .number()
        .min(0.7)
        .max(1.4)
        .meta({ examples: [1] }),
      pitch: z
        .number()
        .min(0.8)
        .max(1.2)
        .meta({ examples: [1] }),
      asrStrictness: z.enum(["lenient", "balanced", "strict"]),
    }),
    notifications: z.strictObject({
      enabled: z.boolean(),
      hourLocal: z
        .int()
        .min(0)
        .max(23)
        .meta({ examples: [18] }),
    }),
    accessibility: z.strictObject({
      theme: z.enum(["system", "light", "dark"]),
      fontScale: z
        .number()
        .min(1)
        .max(1.6)
        .meta({ examples: [1] }),
      highContrast: z.boolean(),
      reducedMotion: z.boolean(),
    }),
    script: Tag.optional(),
    dialect: Tag.optional(),
  })
  .meta({ id: "PreferenceProfile" });
export type PreferenceProfile = z.infer<typeof PreferenceProfile>;

const defaultPreferences: PreferenceProfile = {
  version: 1,
  personas: [],
  srs: { newPerDay: 15, reviewCap: 80, easeAdjPct: 0 },
  lessonPlan: {
    microLessonMins: 8,
    composition: {
      speaking: 20,
      listening: 20,
      reading: 15,
      writing: 10,
      grammar: 15,
      vocab: 20,
    },
  },
  speech: { ttsVoice: "default", rate: 1, pitch: 1, asrStrictness: "balanced" },
  notifications: { enabled: true, hourLocal: 19 },
  accessibility: { theme: "system", fontScale: 1, highContrast: false, reducedMotion: false },
};

/** `version` counts the replacements; 0 means the defaults. */
export interface VersionedPreferences {
  profile: PreferenceProfile;
  version: number;
}

/** The stored preferences, else the defaults. */
export async function getPreferences(
  ctx: Context,
  { userId }: Actor,
): Promise<VersionedPreferences> {
  const [stored] = await byUser(ctx.db).execute({ userId });
  if (!stored) return { profile: defaultPreferences, version: 0 };
  return { profile: stored.profile as PreferenceProfile, version: stored.version };
}

/** Audited. Throws `precondition_failed` unless `expected` has the current version. Of concurrent calls with one version, one succeeds. */
export async function replacePreferences(
  ctx: Context,
  { userId }: Actor,
  profile: PreferenceProfile,
  expected: number[] | "any",
): Promise<VersionedPreferences> {
  const now = timestamp(ctx.now);
  const isExpected = (version: ReturnType<typeof sql>) =>
    expected === "any"
      ? sql`true`
      : sql`${version} = any (cast(${`{${expected.join(",")}}`} as integer[]))`;
  const audit = { actor: { kind: "user", id: userId }, subjectId: userId } as const;
  const write = ctx.db.execute<{ version: number }>(sql`
    with put as (
      insert into ${preferences} (user_id, profile, updated_at)
      select id, cast(${JSON.stringify(profile)} as jsonb), ${now}
      from ${users}
      where id = ${userId} and (${isExpected(sql`0`)}
        or exists (select 1 from ${preferences} stored where stored.user_id = ${users.id}))
      on conflict (user_id) do update set
        profile = excluded.profile,
        version = ${preferences.version} + 1,
        updated_at = excluded.updated_at
      where ${isExpected(sql`${preferences.version}`)}
      returning version
    ), audited as (
      ${auditIfAny(ctx, { ...audit, action: "preferences.updated" }, sql`put`)}
    )
    select (select version from put) as version, ${requiredRow(sql`put`)}`);
  try {
    const [{ rows }] = await writeOnce(ctx, userId, [write]);
    return { profile, version: rows[0]?.version ?? 0 };
  } catch (error) {
    if (lacksRequiredRow(error)) throw new AppError("precondition_failed");
    throw error;
  }
}

const byUser = prepared((db) =>
  db
    .select({ profile: preferences.profile, version: preferences.version })
    .from(preferences)
    .where(eq(preferences.userId, sql.placeholder("userId")))
    .prepare("preferences_by_user"),
);
