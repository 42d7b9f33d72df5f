import type { CourseSource } from "../source.js";
import { exerciseTexts } from "./exercise-texts.js";
import { placedExercises } from "./placed-exercises.js";
import type { Place } from "./problem.js";

export interface Translation {
  place: Place;
  target: string;
  native: string;
}

/** Every target text of the course that stands beside a native one, with each of its accepted answers. */
export const translations = (course: CourseSource): Translation[] => [
  ...placedExercises(course).flatMap(({ exercise, place }) => {
    if (exercise.type === "multiple_choice" || exercise.type === "match_pairs") return [];
    const { target, native } = exerciseTexts(exercise, course);
    return target.flatMap((text) =>
      native.map((other) => ({ place, target: text, native: other })),
    );
  }),
  ...referencePairs(course),
];

export const referencePairs = ({ reference }: CourseSource): Translation[] => [
  ...reference.phrases.map((pair) => ({ ...pair, place: { file: "phrases.yaml" } })),
  ...reference.grammar.flatMap(({ examples }) =>
    examples.map((pair) => ({ ...pair, place: { file: "grammar.yaml" } })),
  ),
  ...reference.dialogues.flatMap(({ turns }) =>
    turns.map((pair) => ({ ...pair, place: { file: "dialogues.yaml" } })),
  ),
];
