import { isPlayable, type Lesson, type LessonProgress, unlockedLessons } from "./unlock.js";

interface LessonFirstTry {
  lessonId: string;
  receiptOrder: number;
  isRight: boolean;
}

export interface RecommendationInput {
  lessons: readonly Lesson[];
  progress: LessonProgress;
  isPremium: boolean;
  openAttempt: { attemptId: string; lessonId: string } | null;
  dueCount: number;
  firstTries: readonly LessonFirstTry[];
}

/** Words of this calculation. */
export type Recommendation =
  | { reason: "open_attempt"; attemptId: string; lessonId: string }
  | { reason: "reviews_due"; dueCount: number }
  | { reason: "next_lesson"; lessonId: string }
  | { reason: "weak_category"; lessonId: string; category: string };

/**
 * "at most 5, in this order, each with `reason`: the open attempt; reviews when ≥ 10 are due; the
 * next unlocked lesson; the completed lesson with most wrong first tries in the category of lowest
 * accuracy".
 */
export function recommendationsFor(input: RecommendationInput): Recommendation[] {
  const recommendations: Recommendation[] = [];
  if (input.openAttempt !== null) {
    recommendations.push({ reason: "open_attempt", ...input.openAttempt });
  }
  if (input.dueCount >= 10) {
    recommendations.push({ reason: "reviews_due", dueCount: input.dueCount });
  }
  const next = nextLesson(input);
  if (next !== undefined) {
    recommendations.push({ reason: "next_lesson", lessonId: next.lessonId });
  }
  const weak = weakestLesson(input);
  if (weak !== undefined) recommendations.push({ reason: "weak_category", ...weak });
  return recommendations;
}

function nextLesson(input: RecommendationInput): Lesson | undefined {
  const unlocked = unlockedLessons(input.lessons, input.progress);
  const done = [...input.progress.completed, ...input.progress.testedOut];
  return input.lessons.find(
    (lesson) =>
      unlocked.includes(lesson.lessonId) &&
      !done.includes(lesson.lessonId) &&
      isPlayable(lesson, input.isPremium) &&
      lesson.lessonId !== input.openAttempt?.lessonId,
  );
}

/** "(last 100 first tries, ≥ 10 in the category, < 80 %)"; ties go to the earlier lesson. */
function weakestLesson(
  input: RecommendationInput,
): { lessonId: string; category: string } | undefined {
  const lastHundred = [...input.firstTries]
    .sort((a, b) => a.receiptOrder - b.receiptOrder)
    .slice(-100);
  const categoryOf = (lessonId: string): string | undefined =>
    input.lessons.find((lesson) => lesson.lessonId === lessonId)?.category;

  let weakest: { category: string; accuracy: number } | undefined;
  for (const category of new Set(input.lessons.map((lesson) => lesson.category))) {
    const tries = lastHundred.filter((one) => categoryOf(one.lessonId) === category);
    const accuracy = tries.filter((one) => one.isRight).length / tries.length;
    const isWeak = tries.length >= 10 && accuracy < 0.8;
    if (isWeak && (weakest === undefined || accuracy < weakest.accuracy)) {
      weakest = { category, accuracy };
    }
  }
  if (weakest === undefined) return undefined;

  let worst: { lessonId: string; wrongs: number } | undefined;
  for (const { lessonId, category } of input.lessons) {
    if (category !== weakest.category || !input.progress.completed.includes(lessonId)) continue;
    const wrongs = lastHundred.filter((one) => one.lessonId === lessonId && !one.isRight).length;
    if (wrongs > (worst?.wrongs ?? 0)) worst = { lessonId, wrongs };
  }
  return worst && { lessonId: worst.lessonId, category: weakest.category };
}
