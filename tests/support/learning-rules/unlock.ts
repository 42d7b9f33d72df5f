export interface Lesson {
  lessonId: string;
  /** Units are numbered from 1. */
  unit: number;
  category: string;
  /** Absent: the lesson before in the course. */
  prerequisites?: readonly string[];
}

/** What one learner did in one course. */
export interface LessonProgress {
  completed: readonly string[];
  testedOut: readonly string[];
  /** Lessons that were unlocked under an earlier version of the course. */
  unlockedBefore: readonly string[];
}

/**
 * "A lesson is unlocked when every prerequisite (default: the one before in the course) is
 * completed or tested out; a new version never re-locks"; "earlier lessons are `tested_out`:
 * unlocked".
 * `lessons` is the whole course in its order.
 */
export function unlockedLessons(lessons: readonly Lesson[], progress: LessonProgress): string[] {
  const done = [...progress.completed, ...progress.testedOut];
  return lessons
    .filter(({ lessonId, prerequisites }, index) => {
      const lessonBefore = lessons[index - 1];
      const needed = prerequisites ?? (lessonBefore ? [lessonBefore.lessonId] : []);
      return (
        needed.every((id) => done.includes(id)) ||
        done.includes(lessonId) ||
        progress.unlockedBefore.includes(lessonId)
      );
    })
    .map((lesson) => lesson.lessonId);
}

/**
 * "403 `premium_required` is answered before 403 `lesson_locked`"; "an attempt begun within 30 days
 * of fetching is never refused as locked or premium"; the free plan has "the first unit of every
 * course".
 */
export function startRefusal(
  lesson: Lesson,
  isPremium: boolean,
  unlocked: readonly string[],
  packAgeDays: number | null,
): "premium_required" | "lesson_locked" | null {
  if (packAgeDays !== null && packAgeDays <= 30) return null;
  if (!isPlayable(lesson, isPremium)) return "premium_required";
  return unlocked.includes(lesson.lessonId) ? null : "lesson_locked";
}

export function isPlayable(lesson: Lesson, isPremium: boolean): boolean {
  return isPremium || lesson.unit === 1;
}

/** "a pack of an unlocked lesson and of the next five that the plan allows", locked or not. */
export function packLessons(
  lessons: readonly Lesson[],
  lessonId: string,
  isPremium: boolean,
): string[] {
  const index = lessons.findIndex((lesson) => lesson.lessonId === lessonId);
  const nextFive = lessons
    .slice(index + 1)
    .filter((lesson) => isPlayable(lesson, isPremium))
    .slice(0, 5);
  return [lessonId, ...nextFive.map((lesson) => lesson.lessonId)];
}
