import { findLanguage } from "../../../lib/grading/language.js";
import type { CourseSource, ExerciseSource, WordSource } from "../source.js";
import { acceptedBy } from "./accepted-texts.js";
import { rightFillers } from "./exercise-texts.js";
import { groupBy } from "./group-by.js";
import { placedExercises } from "./placed-exercises.js";
import { plainText, plainWords } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { wordsTaught } from "./taught-words.js";
import { templateTexts } from "./template-texts.js";
import { translations } from "./translations.js";

/** A blank has one solution, or all of them are accepted. */
export const blanks: Rule = (course) => {
  const { target, native } = course.info;
  const byNative = groupBy(translations(course), (each) => plainText(each.native, native));
  const taught = wordsTaught(course);

  return placedExercises(course).flatMap(({ lesson, exercise, place }) => {
    if (exercise.type !== "fill_blank" && exercise.type !== "select_missing") return [];
    const right = rightFillers(exercise);
    const sameNative = byNative.get(plainText(exercise.native, native)) ?? [];
    const candidates = [
      ...sameNative.flatMap((other) => fillerIn(other.target, exercise.text, target)),
      ...right.flatMap((filler) => synonyms(filler, course)),
      ...(isDecidedInWords(exercise)
        ? []
        : right.flatMap((filler) => sameMeaning(filler, exercise.native, course))),
    ];
    const { accents } = exercise;
    const isAccepted = acceptedBy(right, { lang: target, accents, areLiteral: true });
    // A pronoun before the verb fills a blank for one word too, but the learner is not asked for it.
    const lengths = new Set(right.map((filler) => plainWords(filler, target).length));
    const offered =
      exercise.type === "select_missing"
        ? new Set(exercise.distractors.map((text) => plainText(text, target)))
        : undefined;
    return [...new Set(candidates.map((text) => plainText(text, target)))]
      .filter((filler) => filler !== "" && !isAccepted(filler))
      .filter((filler) =>
        offered
          ? offered.has(filler)
          : lengths.has(filler.split(" ").length) &&
            filler.split(" ").every((word) => taught.get(lesson)?.has(word)),
      )
      .map((filler) => ({
        ...place,
        message: offered
          ? `Replace the distractor "${filler}", or let the translation decide: it fills the blank as well.`
          : `Accept "${filler}" as well, or let the translation decide: it fills the blank.`,
      }));
  });
};

/** The word in the place of the blank, if the rest of the sentence is equal. */
function fillerIn(sentence: string, text: string, lang: string): string[] {
  const [before = [], after = []] = text.split("___").map((part) => plainWords(part, lang));
  const words = plainWords(sentence, lang);
  const end = words.length - after.length;
  const isSame =
    end > before.length &&
    words.slice(0, before.length).join(" ") === before.join(" ") &&
    words.slice(end).join(" ") === after.join(" ");
  return isSame ? [words.slice(before.length, end).join(" ")] : [];
}

/** The other texts of a word's template, where only this part differs: of `el (billete|boleto)`. */
function synonyms(filler: string, course: CourseSource): string[] {
  const lang = course.info.target;
  const { functionWords } = findLanguage(lang);
  const given = plainWords(filler, lang);
  return course.words.flatMap(({ target }) => {
    const texts = templateTexts(target).map((text) => plainWords(text, lang));
    return texts.flatMap((words) => {
      const from = words.findIndex((_, at) =>
        given.every((word, index) => words[at + index] === word),
      );
      if (from < 0 || given.length === 0) return [];
      const before = words.slice(0, from).join(" ");
      const after = words.slice(from + given.length).join(" ");
      return texts
        .filter((other) => other !== words)
        .flatMap((other) => fillerIn(other.join(" "), `${before} ___ ${after}`, lang))
        .filter((other) => !isInflection(filler, other) && !functionWords.has(other));
    });
  });
}

/** `profesora` beside `profesor`: the sentence decides which of them. */
const isInflection = (one: string, other: string): boolean => one.slice(0, 3) === other.slice(0, 3);

/** Other words whose first translation the right one has as well, and the sentence's translation holds: tú and usted. */
function sameMeaning(filler: string, native: string, course: CourseSource): string[] {
  const { target, native: nativeLang } = course.info;
  const meaning = (text: string) => plainText(text.replace(/\(.*\)/, ""), nativeLang);
  const targetsOf = (word: WordSource) =>
    templateTexts(word.target).map((text) => plainText(text, target));
  const plain = plainText(filler, target);
  const sentence = ` ${plainText(native, nativeLang)} `;
  const isRight = (word: WordSource) => targetsOf(word).includes(plain);
  const meanings = new Set(
    course.words
      .filter(isRight)
      .flatMap((word) => [word.native, ...(word.alsoNative ?? [])].map(meaning))
      .filter((text) => sentence.includes(` ${text} `)),
  );
  return course.words
    .filter((word) => !isRight(word) && meanings.has(meaning(word.native)))
    .flatMap(targetsOf);
}

const isDecidedInWords = (exercise: ExerciseSource & { native: string }): boolean =>
  exercise.hint !== undefined || exercise.native.includes("(");
