import { findLanguage } from "../../../lib/grading/language.js";
import type { AllowedWords } from "./allowed-words.js";
import { courseTexts } from "./course-texts.js";
import type { Dictionaries, Knows } from "./dictionaries.js";
import type { Problem, Rule } from "./problem.js";

/** The dictionary, the names of the course or `spelling.yaml` have every word; `spelling.yaml` has no others. */
export const spelling =
  (dictionaries: Dictionaries, allowed: AllowedWords): Rule =>
  (course) => {
    const { target, native } = course.info;
    const names = new Set(course.info.names.flatMap(wordsIn));
    const used = new Set<string>();
    const isAllowed = (lang: string, word: string) =>
      [word, word.toLowerCase()].some((form) => {
        used.add(`${lang} ${form}`);
        return allowed[lang]?.includes(form);
      });
    const knows = (lang: string): Knows => {
      const dictionary = dictionaries.get(lang);
      if (!dictionary) return () => true;
      const isKnown = (word: string) =>
        dictionary(word) || names.has(word.replace(/'s$/, "")) || isAllowed(lang, word);
      return (word) => isKnown(word) || word.split("-").every(isKnown);
    };
    const [knowsTarget, knowsNative] = [knows(target), knows(native)];
    const knowsEither = (word: string) => knowsNative(word) || knowsTarget(word);

    const misspelt = courseTexts(course).flatMap((texts) => {
      const report = (lang: string, words: string[]) =>
        words.map((word) => ({
          ...texts.place,
          message: `Correct the spelling of "${word}", or add it to spelling.yaml under ${lang}.`,
        }));
      const { target: ours = [], native: theirs = [], mixed = [] } = texts;
      const quoted = theirs.flatMap((text) => text.match(quotes) ?? []);
      const unquoted = theirs.map((text) => text.replace(quotes, " "));
      return [
        ...report(target, unknownWords(ours, knowsTarget)),
        ...report(native, unknownWords(unquoted, knowsNative)),
        ...report(native, unknownWords([...mixed, ...quoted], knowsEither)),
      ];
    });
    const needless = Object.entries(allowed).flatMap(([lang, words]) =>
      words
        .filter((word) => !used.has(`${lang} ${word}`))
        .map((word) => ({
          file: "spelling.yaml",
          message: `Remove ${word} under ${lang}: no text needs it.`,
        })),
    );
    return [...missingDictionaries([target, native], dictionaries), ...misspelt, ...needless];
  };

/** Words in quotes are of the other language. */
const quotes = /"[^"]*"/g;

const unknownWords = (texts: readonly string[], knows: Knows): string[] =>
  [...new Set(texts.flatMap(wordsIn))].filter((word) => !knows(word));

/** Without endings: `-ción`. */
const wordsIn = (text: string): string[] =>
  text.match(/(?<![-\p{L}\p{M}])[\p{L}\p{M}]+(?:['-][\p{L}\p{M}]+)*/gu) ?? [];

/** The dictionaries are of words between spaces. */
const missingDictionaries = (languages: readonly string[], dictionaries: Dictionaries): Problem[] =>
  languages
    .filter((lang) => findLanguage(lang).isSpaced && !dictionaries.has(lang))
    .map((lang) => ({
      file: "course.yaml",
      message: `Add a dictionary of ${lang} to dev/content/lint/dictionaries.ts.`,
    }));
