import type { CourseSource } from "../source.js";
import { placedExercises, placedLessons } from "./placed-exercises.js";
import type { Place, Problem, Rule } from "./problem.js";

const refused: readonly [characters: RegExp, whatToDo: string][] = [
  [/[‘’‚‛´`′]/u, "Write the straight apostrophe ' for"],
  [/[“”„‟«»‹›″]/u, 'Write the straight quote " for'],
  [/[\u00a0\u2007\u202f]/u, "Write a plain space for"],
  [/[\u00ad\u200b\u200e\u200f\u2060\ufeff]/u, "Remove the invisible"],
];

/** Texts are NFC, with straight apostrophes and quotes, plain spaces and nothing invisible. */
export const characters: Rule = (course) =>
  everyText(course).flatMap(({ text, place }) => [
    ...(text === text.normalize("NFC")
      ? []
      : [{ ...place, message: `Write "${text}" in NFC: it has letters with separate marks.` }]),
    ...refused.flatMap(([characters, whatToDo]): Problem[] => {
      const [found] = characters.exec(text) ?? [];
      if (found === undefined) return [];
      const code = found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
      return [{ ...place, message: `${whatToDo} U+${code} in "${text}".` }];
    }),
  ]);

function everyText(course: CourseSource): { text: string; place: Place }[] {
  const { info, words, units, reference } = course;
  const files: [Place, unknown][] = [
    [{ file: "course.yaml" }, info],
    [{ file: "words.yaml" }, words],
    ...Object.entries(reference).map(([name, list]): [Place, unknown] => [
      { file: `${name}.yaml` },
      list,
    ]),
    ...units.map(({ lessons: _, ...unit }): [Place, unknown] => [
      { file: `units/${unit.id}.yaml` },
      unit,
    ]),
    ...placedLessons(course).map(
      ({ lesson: { exercises: _, ...lesson }, place }): [Place, unknown] => [place, lesson],
    ),
    ...placedExercises(course).map(({ exercise, place }): [Place, unknown] => [place, exercise]),
  ];
  return files.flatMap(([place, value]) => stringsOf(value).map((text) => ({ text, place })));
}

function stringsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}
