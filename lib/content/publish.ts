import { desc, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { type AuditEntry, auditIfAny, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { courses, courseVersions } from "../db/schema/content.js";
import { timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { Course } from "./bodies.js";
import { forgetOlder } from "./cache.js";

const versionStates = ["published", "draft", "replaced"] as const;

const ContentVersion = z.strictObject({
  courseId: z.uuid(),
  targetLanguage: z.string(),
  nativeLanguage: z.string(),
  title: z.string(),
  version: z.int(),
  /** A draft was never published. */
  state: z.enum(versionStates),
  lessons: z.int(),
  words: z.int(),
  createdAt: z.iso.datetime(),
  /** Answers to attempts that began with it are graded for 90 days more. */
  replacedAt: z.iso.datetime().nullable(),
});
export type ContentVersion = z.infer<typeof ContentVersion>;

export const ContentVersionList = z.strictObject({ items: z.array(ContentVersion) });

const versionsMax = 1000;

/** By course, the newest version first. */
export async function listContentVersions({ db }: Context): Promise<ContentVersion[]> {
  const rows = await db
    .select({ version: courseVersions, published: courses.version })
    .from(courseVersions)
    .leftJoin(courses, eq(courses.id, courseVersions.courseId))
    .orderBy(courseVersions.courseId, desc(courseVersions.version))
    .limit(versionsMax);
  return rows.map(({ version: row, published }) => {
    const { title, lessons, words } = Course.parse(row.course);
    const replaced = row.replacedAt === null ? "draft" : "replaced";
    return {
      courseId: row.courseId,
      targetLanguage: row.targetLanguage,
      nativeLanguage: row.nativeLanguage,
      title,
      version: row.version,
      state: row.version === published ? "published" : replaced,
      lessons,
      words,
      createdAt: row.createdAt.toISOString(),
      replacedAt: row.replacedAt?.toISOString() ?? null,
    };
  });
}

/** The version that is published, and the one to publish. Throws `not_found`, and `validation_failed` for an unknown version. */
export async function previewPublication(
  ctx: Context,
  courseId: string,
  version: number,
): Promise<{ before: ContentVersion; after: ContentVersion }> {
  const versions = (await listContentVersions(ctx)).filter((one) => one.courseId === courseId);
  const before = versions.find(({ state }) => state === "published");
  if (!before) throw new AppError("not_found");
  const after = versions.find((one) => one.version === version);
  if (after) return { before, after };
  const known = versions.map((one) => one.version).join(", ");
  throw new AppError("validation_failed", {
    fields: [
      {
        pointer: "/version",
        code: "unknown_version",
        message: `This course has the versions ${known}. \`npm run db:seed\` adds one from the files.`,
      },
    ],
  });
}

/**
 * Attempts that have begun keep their version. Audited. Throws `content_changed` when another version was published since `before`
 * was read. Safe to repeat.
 */
export async function publish(
  ctx: Context,
  { before, after }: { before: ContentVersion; after: ContentVersion },
  by: OperatorAct,
): Promise<void> {
  const entry: AuditEntry = {
    ...by,
    action: "content.published",
    subjectId: `${after.courseId}:${before.version}:${after.version}`,
  };
  // The times of publication rise, because they are the revisions of the cache.
  const { rows } = await ctx.db.execute<{ revision: string }>(sql`
    with moved as (
      update ${courses} set version = ${after.version}, published_at = greatest(
        ${timestamp(ctx.now)}, (select max(published_at) from ${courses}) + interval '1 millisecond')
      where id = ${after.courseId} and version = ${before.version} returning published_at
    ), replaced as (
      update ${courseVersions} set replaced_at = case when version = ${before.version}
        then ${timestamp(ctx.now)} end
      where course_id = ${after.courseId} and version in (${before.version}, ${after.version})
        and exists (select from moved)
    ), audited as (${auditIfAny(ctx, entry, sql`moved`)})
    select floor(extract(epoch from published_at) * 1000) as revision from moved`);
  const [moved] = rows;
  if (!moved) throw new AppError("content_changed");
  // Redis down: its replies end within 10 minutes.
  await forgetOlder(ctx, Number(moved.revision)).catch(() => undefined);
}
