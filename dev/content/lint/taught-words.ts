import type { CourseSource, LessonSource } from "../source.js";
import { exerciseTexts } from "./exercise-texts.js";
import { placedExercises } from "./placed-exercises.js";
import { plainWords } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";

/** Target-language texts use only words that this lesson or an earlier one teaches, names and numerals. */
export const taughtWords: Rule = (course) => {
  const taught = wordsTaught(course);
  return placedExercises(course).flatMap(({ lesson, exercise, place }) => {
    const { target, wrongTarget } = exerciseTexts(exercise, course);
    const words = [...target, ...wrongTarget].flatMap((text) =>
      plainWords(text, course.info.target),
    );
    return [...new Set(words)]
      .filter((word) => !taught.get(lesson)?.has(word) && !/^\d+$/.test(word))
      .map((word) => ({
        ...place,
        message: `Use another word for "${word}", or teach it by now: no lesson up to this one does.`,
      }));
  });
};

/** For each lesson, the words that it and the earlier ones teach, and the names. */
export function wordsTaught(course: CourseSource): Map<LessonSource, ReadonlySet<string>> {
  const words = new Map(course.words.map((word) => [word.id, word]));
  const plain = (texts: readonly string[]) =>
    texts.flatMap((text) => plainWords(text, course.info.target));
  let taught: ReadonlySet<string> = new Set(plain(course.info.names));
  return new Map(
    course.units
      .flatMap(({ lessons }) => lessons)
      .map((lesson) => {
        const added = lesson.teaches.flatMap((id) => {
          const word = words.get(id);
          return word ? plain([...templateTexts(word.target), ...(word.forms ?? [])]) : [];
        });
        taught = new Set([...taught, ...added]);
        return [lesson, taught];
      }),
  );
}
