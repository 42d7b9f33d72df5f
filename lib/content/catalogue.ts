import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { courses, courseVersions, lessons } from "../db/schema/content.js";
import { Course, CourseSummary, LearnContent, Lesson } from "./bodies.js";
import type { Published } from "./cache.js";

/** In ms: when content was last published. */
const contentRevision = sql<number>`(select floor(extract(epoch from max(published_at)) * 1000)
  from ${courses})`.mapWith(Number);

const ofPublished = and(
  eq(courseVersions.courseId, courses.id),
  eq(courseVersions.version, courses.version),
);

export const CourseList = z.strictObject({ items: z.array(CourseSummary).max(200) });

/** The published courses, by language. */
export async function listCourses({ db }: Context): Promise<Published<z.infer<typeof CourseList>>> {
  const rows = await db
    .select({ course: courseVersions.course, revision: contentRevision })
    .from(courses)
    .innerJoin(courseVersions, ofPublished)
    .orderBy(courses.targetLanguage, courses.nativeLanguage);
  const items = rows.map(({ course }) => {
    const { units: _, ...summary } = Course.parse(course);
    return summary;
  });
  return { body: { items }, revision: rows[0]?.revision ?? 0 };
}

export async function findCourse(
  { db }: Context,
  courseId: string,
): Promise<Published<Course> | null> {
  const [row] = await db
    .select({ course: courseVersions.course, revision: contentRevision })
    .from(courses)
    .innerJoin(courseVersions, ofPublished)
    .where(eq(courses.id, courseId));
  return row ? { body: Course.parse(row.course), revision: row.revision } : null;
}

export async function findLesson(
  { db }: Context,
  lessonId: string,
): Promise<Published<Lesson> | null> {
  const [row] = await db
    .select({ lesson: lessons.lesson, revision: contentRevision })
    .from(lessons)
    .innerJoin(courses, and(eq(courses.id, lessons.courseId), eq(courses.version, lessons.version)))
    .where(eq(lessons.id, lessonId));
  return row ? { body: Lesson.parse(row.lesson), revision: row.revision } : null;
}

export async function findLearnContent(
  { db }: Context,
  targetLanguage: string,
  nativeLanguage: string,
): Promise<Published<LearnContent> | null> {
  const [row] = await db
    .select({ learn: courseVersions.learn, revision: contentRevision })
    .from(courses)
    .innerJoin(courseVersions, ofPublished)
    .where(
      and(eq(courses.targetLanguage, targetLanguage), eq(courses.nativeLanguage, nativeLanguage)),
    );
  return row ? { body: LearnContent.parse(row.learn), revision: row.revision } : null;
}
