import { type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Actor, Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { courses, lessons } from "../db/schema/content.js";
import { attempts, learners, lessonProgress } from "../db/schema/learning.js";
import { AppError } from "../errors.js";
import { isStillOpen } from "./attempt.js";
import { isUnlocked } from "./unlocking.js";
import { standing, standingOf } from "./xp.js";

const lessonStates = ["locked", "unlocked", "in_progress", "completed", "tested_out"] as const;

const CourseProgress = z.strictObject({
  courseId: z.uuid(),
  /** Of the published content. */
  version: z.int().min(1),
  lessons: z.array(
    z.strictObject({
      lessonId: z.uuid(),
      /** `unlocked` says nothing about premium. A repeated lesson stays `completed`. */
      state: z.enum(lessonStates),
      completions: z.int().min(0),
    }),
  ),
});

export const Progress = z
  .strictObject({ ...standing, courses: z.array(CourseProgress).max(200) })
  .meta({ id: "Progress" });
type Progress = z.infer<typeof Progress>;

export const ProgressQuery = z.strictObject({
  course: z.uuid().optional().meta({
    description: "Only this course; otherwise each course in which the learner has begun.",
  }),
});

interface Found {
  totalXp: number;
  courses: Progress["courses"];
}

/** Throws `not_found` for an unknown course. */
export async function getProgress(
  { db, now }: Context,
  { userId }: Actor,
  courseId?: string,
): Promise<Progress> {
  const { rows } = await db.execute<{ found: Found }>(sql`
    select json_build_object(
      'totalXp', coalesce((select total_xp from ${learners} where user_id = u.id), 0),
      'courses', (
        select coalesce(json_agg(json_build_object('courseId', c.id, 'version', c.version,
          'lessons', ${lessonsOfCourse(now)}) order by c.target_language, c.native_language), '[]')
        from ${courses} c where ${courseId === undefined ? isBegun : sql`c.id = ${courseId}`})
    ) as found
    from ${users} u where u.id = ${userId}`);
  const [row] = rows;
  if (!row) throw new AppError("session_revoked");
  const { totalXp, courses: found } = row.found;
  if (courseId !== undefined && found.length === 0) throw new AppError("not_found");
  return { ...standingOf(totalXp), courses: found };
}

const isBegun: SQL = sql`c.id in (
  select course_id from ${lessonProgress} where user_id = u.id
  union all select course_id from ${attempts} where user_id = u.id)`;

const lessonsOfCourse = (now: Date): SQL => sql`(
  select coalesce(json_agg(json_build_object('lessonId', l.id, 'completions', coalesce(done.completions, 0),
    'state', case
      when done.state = 'completed' then 'completed'
      when l.id = any(p.open) then 'in_progress'
      when done.state is not null then done.state
      when ${isUnlocked} then 'unlocked'
      else 'locked' end) order by l.position), '[]')
  from (select
      array(select lesson_id from ${lessonProgress} where user_id = u.id and course_id = c.id) as done,
      array(select lesson_id from ${attempts} a where a.user_id = u.id and a.course_id = c.id
        and a.pack_id is null and ${isStillOpen(now)}) as open) p
  cross join ${lessons} l
  left join ${lessonProgress} done on done.user_id = u.id and done.lesson_id = l.id
  where l.course_id = c.id and l.version = c.version)`;
