import type { CourseSource, ExerciseSource } from "../source.js";
import { groupBy } from "./group-by.js";
import { placedLessons } from "./placed-exercises.js";
import type { Place, Problem, Rule } from "./problem.js";

/** What identifies something occurs once. */
export const duplicates: Rule = (course) => [
  ...courseDuplicates(course),
  ...placedLessons(course).flatMap(({ lesson, place }) => [
    ...repeated(place, "the exercise ID", lesson.exercises, ({ id }) => id),
    ...repeated(
      place,
      "the type and prompt",
      lesson.exercises,
      (exercise) => `${exercise.type} ${promptOf(exercise)}`,
      ({ id }) => id,
    ),
    ...repeated(place, "the word", lesson.teaches, (id) => id),
  ]),
];

function courseDuplicates({ info, words, units, reference }: CourseSource): Problem[] {
  const lessons = units.flatMap((unit) => unit.lessons);
  const { alphabet, numbers, phrases, phonics, grammar, dialogues } = reference;
  return [
    ...repeated({ file: "course.yaml" }, "the unit", info.units, (id) => id),
    ...repeated({ file: "course.yaml" }, "the name", info.names, (name) => name),
    ...repeated({ file: "course.yaml" }, "the tip", info.tips, (tip) => tip),
    ...repeated({ file: "course.yaml" }, "the lesson ID", lessons, ({ id }) => id),
    ...repeated({ file: "words.yaml" }, "the ID", words, ({ id }) => id),
    ...repeated(
      { file: "words.yaml" },
      "the prompt of a card,",
      words,
      ({ native }) => native,
      ({ id }) => id,
    ),
    ...words.flatMap(({ id, native, alsoNative = [], forms = [] }) => [
      ...repeated(
        { file: "words.yaml" },
        `the translation in ${id}`,
        [native, ...alsoNative],
        (text) => text,
      ),
      ...repeated({ file: "words.yaml" }, `the form in ${id}`, forms, (text) => text),
    ]),
    ...repeated({ file: "alphabet.yaml" }, "the ID", alphabet, ({ id }) => id),
    ...repeated({ file: "alphabet.yaml" }, "the character", alphabet, ({ character }) => character),
    ...repeated({ file: "numbers.yaml" }, "the value", numbers, ({ value }) => String(value)),
    ...repeated({ file: "numbers.yaml" }, "the number", numbers, ({ target }) => target),
    ...repeated({ file: "phrases.yaml" }, "the ID", phrases, ({ id }) => id),
    ...repeated({ file: "phrases.yaml" }, "the phrase", phrases, ({ target }) => target),
    ...repeated({ file: "phonics.yaml" }, "the ID", phonics, ({ id }) => id),
    ...repeated({ file: "phonics.yaml" }, "the sound", phonics, ({ sound }) => sound),
    ...repeated({ file: "grammar.yaml" }, "the ID", grammar, ({ id }) => id),
    ...repeated(
      { file: "grammar.yaml" },
      "the example",
      grammar.flatMap(({ examples }) => examples),
      ({ target }) => target,
    ),
    ...repeated({ file: "dialogues.yaml" }, "the ID", dialogues, ({ id }) => id),
  ];
}

function repeated<T>(
  place: Place,
  what: string,
  items: readonly T[],
  key: (item: T) => string,
  label: (item: T) => string = key,
): Problem[] {
  const groups = groupBy(items, (item) => key(item).toLowerCase());
  return [...groups.values()].flatMap((group) => {
    const [first, second] = group;
    if (first === undefined || second === undefined) return [];
    const labels = [...new Set(group.map(label))].join(", ");
    return [
      {
        ...place,
        message: `Keep ${what} "${key(first)}" once; it occurs ${group.length} times (${labels}).`,
      },
    ];
  });
}

function promptOf(exercise: ExerciseSource): string {
  if (exercise.type === "match_pairs")
    return exercise.pairs
      .map((pair) => pair.join("="))
      .toSorted()
      .join(" ");
  return "prompt" in exercise ? exercise.prompt : exercise.text;
}
