import { exerciseTypes } from "../../../lib/content/bodies.js";
import type { Rule } from "./problem.js";

const minimums = {
  words: 150,
  phrases: 60,
  "grammar points": 20,
  dialogues: 6,
  lessons: 20,
  units: 4,
};

/** A course is large enough, and each unit has every type of exercise. */
export const amounts: Rule = ({ words, units, reference }) => {
  const amounts: { [Name in keyof typeof minimums]: number } = {
    words: words.length,
    phrases: reference.phrases.length,
    "grammar points": reference.grammar.length,
    dialogues: reference.dialogues.length,
    lessons: units.flatMap(({ lessons }) => lessons).length,
    units: units.length,
  };
  const tooFew = Object.entries(minimums).filter(
    ([name, minimum]) => amounts[name as keyof typeof minimums] < minimum,
  );
  return [
    ...tooFew.map(([name, minimum]) => ({
      file: "course.yaml",
      message: `Add ${name}: a course has at least ${minimum}, this one ${amounts[name as keyof typeof minimums]}.`,
    })),
    ...units.flatMap(({ id, lessons }) => {
      const present = new Set(
        lessons.flatMap(({ exercises }) => exercises.map(({ type }) => type)),
      );
      return exerciseTypes
        .filter((type) => !present.has(type))
        .map((type) => ({ file: `units/${id}.yaml`, message: `Add an exercise of type ${type}.` }));
    }),
  ];
};
