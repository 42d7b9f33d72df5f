import { placedExercises } from "./placed-exercises.js";
import { foldedText } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";
import { type Translation, translations } from "./translations.js";

/** A source and its target differ, or the learner has nothing to do. */
export const untranslated: Rule = (course) => {
  const words = course.words.flatMap(({ target, native }): Translation[] =>
    templateTexts(target).map((text) => ({ place: { file: "words.yaml" }, target: text, native })),
  );
  const pairs = placedExercises(course).flatMap(({ exercise, place }): Translation[] => {
    if (exercise.type === "match_pairs") {
      return exercise.pairs.map(([target, native]) => ({ place, target, native }));
    }
    return exercise.type === "multiple_choice"
      ? [{ place, target: exercise.right, native: exercise.prompt }]
      : [];
  });
  const all = [...words, ...pairs, ...translations(course)];
  const equal = all.filter(
    ({ target, native }) =>
      foldedText(target, course.info.target) === foldedText(native, course.info.target),
  );
  const seen = new Map(
    equal.map(({ place, target }) => [JSON.stringify({ place, target }), { place, target }]),
  );
  return [...seen.values()].map(({ place, target }) => ({
    ...place,
    message: `Translate "${target}": source and target are equal.`,
  }));
};
