import type { NeonQueryFunction } from "@neondatabase/serverless";
import { compileCourse } from "./compile.js";
import { contentId } from "./ids.js";
import type { CourseSource } from "./source.js";

export type SeedOutcome = "published" | "added as a draft" | "unchanged";

/**
 * Store a version of a course, and publish it when the course is new. A draft that was never published is replaced. Throws
 * for a published version whose files changed: its number must rise.
 */
export async function seedCourse(
  sql: NeonQueryFunction<false, false>,
  source: CourseSource,
): Promise<SeedOutcome> {
  const { name, digest } = source;
  const { version, title, target, native } = source.info;
  const id = contentId(name);
  const [known] = await sql`
    select digest, replaced_at is not null
        or exists (select from courses where id = ${id} and version = ${version}) as "wasPublished"
    from course_versions where course_id = ${id} and version = ${version}`;
  if (known?.digest === digest) return "unchanged";
  if (known?.wasPublished) {
    throw new Error(
      `Version ${version} of ${title} is published, and its files have changed. Raise \`version\` in course.yaml.`,
    );
  }
  const { course, learn, lessons, words } = compileCourse(source);
  const json = (value: unknown) => JSON.stringify(value);
  const [, , , , , , created] = await sql.transaction([
    sql`delete from lessons where course_id = ${id} and version = ${version}`,
    sql`delete from words where course_id = ${id} and version = ${version}`,
    sql`delete from course_versions where course_id = ${id} and version = ${version}`,
    sql`insert into course_versions (course_id, version, target_language, native_language, digest, course, learn, created_at)
      values (${id}, ${version}, ${target}, ${native}, ${digest}, ${json(course)}, ${json(learn)}, now())`,
    sql`insert into lessons
      select id, ${version}, ${id}, position, unit, requires, "xpReward", "perfectBonus", lesson, exercises, keys, words
      from jsonb_to_recordset(${json(lessons)}::jsonb) as each (id uuid, position smallint, unit smallint,
        requires uuid[], "xpReward" smallint, "perfectBonus" smallint, lesson jsonb, exercises jsonb, keys jsonb, words uuid[])`,
    sql`insert into words
      select id, ${version}, ${id}, position, word, keys
      from jsonb_to_recordset(${json(words)}::jsonb) as each (id uuid, position smallint, word jsonb, keys jsonb)`,
    sql`insert into courses (id, target_language, native_language, version, published_at)
      values (${id}, ${target}, ${native}, ${version},
        greatest(now(), (select max(published_at) from courses) + interval '1 millisecond'))
      on conflict (id) do nothing returning id`,
  ]);
  return created?.length === 1 ? "published" : "added as a draft";
}
