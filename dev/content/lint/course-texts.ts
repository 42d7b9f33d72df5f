import type { CourseSource } from "../source.js";
import { exerciseTexts } from "./exercise-texts.js";
import { placedExercises, placedLessons } from "./placed-exercises.js";
import type { Place } from "./problem.js";
import { templateTexts } from "./template-texts.js";
import { referencePairs } from "./translations.js";

export interface CourseTexts {
  place: Place;
  target?: readonly string[];
  native?: readonly string[];
  /** In the native language, with words of the target language. */
  mixed?: readonly string[];
}

/** Every text of the course with its language, except for pronunciations and IDs. */
export const courseTexts = (course: CourseSource): CourseTexts[] => [
  ...infoTexts(course),
  ...course.words.map(({ target, forms = [], native, alsoNative = [] }) => ({
    place: { file: "words.yaml" },
    target: [...templateTexts(target), ...forms],
    native: [native, ...alsoNative],
  })),
  ...placedExercises(course).map(({ exercise, place }) => {
    const { target, wrongTarget, native, wrongNative } = exerciseTexts(exercise, course);
    return {
      place,
      target: [...target, ...wrongTarget],
      native: [...native, ...wrongNative],
      mixed: exercise.hint === undefined ? [] : [exercise.hint],
    };
  }),
  ...referenceTexts(course),
];

function infoTexts(course: CourseSource): CourseTexts[] {
  const { info, units } = course;
  return [
    { place: { file: "course.yaml" }, mixed: [info.title, info.description, ...info.tips] },
    ...units.map(({ id, title, description }) => ({
      place: { file: `units/${id}.yaml` },
      mixed: [title, description],
    })),
    ...placedLessons(course).map(({ lesson, place }) => ({ place, mixed: [lesson.title] })),
  ];
}

function referenceTexts(course: CourseSource): CourseTexts[] {
  const { alphabet, numbers, phonics, grammar, dialogues } = course.reference;
  return [
    ...[
      { file: "alphabet.yaml", examples: alphabet.flatMap(({ examples }) => examples) },
      { file: "phonics.yaml", examples: phonics.flatMap(({ examples }) => examples) },
    ].flatMap(({ file, examples }) =>
      examples.map(({ word, translation }) => ({
        place: { file },
        target: [word],
        native: [translation],
      })),
    ),
    ...numbers.map(({ target }) => ({ place: { file: "numbers.yaml" }, target: [target] })),
    ...grammar.map(({ title, explanation }) => ({
      place: { file: "grammar.yaml" },
      mixed: [title, explanation],
    })),
    ...dialogues.map(({ scene, turns }) => ({
      place: { file: "dialogues.yaml" },
      mixed: [scene, ...turns.map(({ speaker }) => speaker)],
    })),
    ...referencePairs(course).map(({ place, target, native }) => ({
      place,
      target: [target],
      native: [native],
    })),
  ];
}
