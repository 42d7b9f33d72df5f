import { readFileSync } from "node:fs";
import { parse } from "yaml";
import * as z from "zod";
import { exerciseTexts } from "./exercise-texts.js";
import { placedLessons } from "./placed-exercises.js";
import { plainText, plainWords } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { wordsTaught } from "./taught-words.js";

const pairs = z
  .record(z.string(), z.array(z.tuple([z.string(), z.string()])))
  .parse(parse(readFileSync(new URL("confusable-words.yaml", import.meta.url), "utf8")));

/**
 * A lesson confirms the words that a dictionary cannot tell apart (esta, está), where both are taught by then: before that, the
 * other one is a word that was not taught.
 */
export const confusableWords: Rule = (course) => {
  const lang = course.info.target;
  const taught = wordsTaught(course);
  const ours = (pairs[lang] ?? []).map((pair) => pair.map((word) => plainText(word, lang)));

  return placedLessons(course).flatMap(({ lesson, place }) => {
    const known = taught.get(lesson);
    const ambiguous = new Set(
      ours
        .filter((pair) => pair.every((text) => text.split(" ").every((word) => known?.has(word))))
        .flat(),
    );
    const confirmed = new Set(lesson.confirmed?.map((word) => plainText(word, lang)));
    const used = new Set<string>();
    const problems = lesson.exercises.flatMap((exercise) => {
      const { target, wrongTarget } = exerciseTexts(exercise, course);
      const texts = [...target, ...wrongTarget].map(
        (text) => ` ${plainWords(text, lang).join(" ")} `,
      );
      const found = [...ambiguous].filter((word) =>
        texts.some((text) => text.includes(` ${word} `)),
      );
      for (const word of found) used.add(word);
      return found
        .filter((word) => !confirmed.has(word))
        .map((word) => ({
          ...place,
          exercise: exercise.id,
          message: `Check that "${word}" is not meant to be "${othersOf(word, ours).join('" or "')}", and add it to \`confirmed\` of the lesson.`,
        }));
    });
    const needless = [...confirmed].filter((word) => !used.has(word));
    return [
      ...problems,
      ...needless.map((word) => ({
        ...place,
        message: `Remove "${word}" from \`confirmed\`: the lesson has no such word, or only one of its pair is taught yet.`,
      })),
    ];
  });
};

const othersOf = (word: string, ours: readonly (readonly string[])[]): string[] =>
  ours
    .filter((pair) => pair.includes(word))
    .flatMap((pair) => pair.filter((other) => other !== word));
