import type { ExerciseSource } from "../source.js";
import { rightFillers } from "./exercise-texts.js";
import { placedExercises } from "./placed-exercises.js";
import { foldedText } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";

/** A hint does not hold the answer. */
export const hints: Rule = (course) =>
  placedExercises(course).flatMap(({ exercise, place }) => {
    const { hint } = exercise;
    if (hint === undefined) return [];
    const folded = (text: string) => ` ${foldedText(text, course.info.target)} `;
    const quoted = [...hint.matchAll(/"([^"]*)"/g)].map(([, text = ""]) => folded(text));
    return [...new Set(answersOf(exercise))].flatMap((answer) => {
      // An answer of one letter may be a word of the hint's language: the article "a".
      const places = answer.length > 1 ? [folded(hint)] : quoted;
      return places.some((text) => text.includes(folded(answer)))
        ? [{ ...place, message: `Write a hint that does not hold the answer "${answer}".` }]
        : [];
    });
  });

function answersOf(exercise: ExerciseSource): readonly string[] {
  switch (exercise.type) {
    case "fill_blank":
    case "select_missing":
      return rightFillers(exercise);
    case "multiple_choice":
      return [exercise.right];
    case "match_pairs":
      return exercise.pairs.flat();
    case "listening":
    case "speaking":
      return [exercise.text];
    default:
      return exercise.answers.flatMap(templateTexts);
  }
}
