import { placedExercises } from "./placed-exercises.js";
import { foldedText, plainText } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";

/** Each side of match_pairs fits one other side. */
export const pairs: Rule = (course) => {
  const { target, native } = course.info;
  const meanings = course.words.map((word) => ({
    targets: templateTexts(word.target).map((text) => plainText(text, target)),
    natives: [word.native, ...(word.alsoNative ?? [])].map((text) => plainText(text, native)),
  }));
  const isTranslation = (left: string, right: string) =>
    meanings.some(
      ({ targets, natives }) =>
        targets.includes(plainText(left, target)) && natives.includes(plainText(right, native)),
    );

  return placedExercises(course).flatMap(({ exercise, place }) => {
    if (exercise.type !== "match_pairs") return [];
    return exercise.pairs.flatMap(([left, right], index) =>
      exercise.pairs.slice(index + 1).flatMap(([otherLeft, otherRight]) => {
        const isTwofold =
          foldedText(left, target) === foldedText(otherLeft, target) ||
          foldedText(right, native) === foldedText(otherRight, native) ||
          isTranslation(left, otherRight) ||
          isTranslation(otherLeft, right);
        return isTwofold
          ? [
              {
                ...place,
                message: `Replace ${left} = ${right} or ${otherLeft} = ${otherRight}: they can be matched crosswise.`,
              },
            ]
          : [];
      }),
    );
  });
};
