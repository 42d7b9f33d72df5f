import { placedExercises } from "./placed-exercises.js";
import { plainWords } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";

/** Tiles are the words of the first answer and the further ones. They build every answer, and not all are needed. */
export const tiles: Rule = (course) => {
  const wordsOf = (text: string) => plainWords(text, course.info.target);
  return placedExercises(course).flatMap(({ exercise, place }) => {
    if (exercise.type !== "word_order") return [];
    const texts = exercise.answers.flatMap(templateTexts);
    const [first = ""] = texts;
    const available = [first, ...exercise.extraTiles].flatMap(wordsOf);
    return texts.flatMap((text) => {
      const missing = without(wordsOf(text), available);
      return missing.length === 0
        ? []
        : [
            {
              ...place,
              message: `Remove "${text}", or make "${missing.join(" ")}" a tile: the tiles cannot build it.`,
            },
          ];
    });
  });
};

function without(words: readonly string[], available: readonly string[]): string[] {
  const left = [...available];
  return words.filter((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
