import type { LanguageData } from "./languages/language-data.js";
import type { MarkRule } from "./rule.js";

/** Words that are equal after a fold count as `verdict`. Later folds work on the result of earlier ones. */
export interface WordFold {
  rule: MarkRule;
  verdict: "right" | "accent";
  fold(word: string): string;
  /** Letters that the fold spells with others. */
  letters?: RegExp;
}

const isAscii = /^[\0-\x7f]*$/;
const latinMarks = /(?<=\p{Script=Latin})\p{M}+/gu;

/** Elsewhere than in Latin script, a word without its marks is another word: が and か. */
const latin: readonly WordFold[] = [
  {
    rule: "accent",
    verdict: "accent",
    fold: (word) => word.normalize("NFD").replace(latinMarks, "").normalize("NFC"),
  },
  {
    rule: "ligature",
    verdict: "accent",
    fold: (word) => word.replaceAll("œ", "oe").replaceAll("æ", "ae"),
    letters: /[œæ]/g,
  },
  {
    rule: "eszett",
    verdict: "accent",
    fold: (word) => word.replaceAll("ß", "ss"),
    letters: /ß/g,
  },
];

/** The nasal of each class of consonants, with a virama, before a consonant of that class. */
const nasals =
  /ङ\u094d(?=[क-ङ])|ञ\u094d(?=[च-ञ])|ण\u094d(?=[ट-ण])|न\u094d(?=[त-न])|म\u094d(?=[प-म])/g;
/** Vowel signs above the line leave no place for a candrabindu. */
const candrabinduAbove = /(?<=[\u093f\u0940\u0945-\u094c])\u0901/g;

const devanagari: readonly WordFold[] = [
  { rule: "anusvara", verdict: "right", fold: (word) => word.replace(nasals, "\u0902") },
  {
    rule: "candrabindu",
    verdict: "right",
    fold: (word) => word.replace(candrabinduAbove, "\u0902"),
  },
  {
    rule: "candrabindu",
    verdict: "accent",
    fold: (word) => word.replaceAll("\u0901", "\u0902"),
  },
  { rule: "nukta", verdict: "accent", fold: (word) => word.replaceAll("\u093c", "") },
];

export const foldsOf = ({ tag }: LanguageData): readonly WordFold[] =>
  tag === "hi" ? devanagari : latin;

export function foldWord(word: string, folds: readonly WordFold[]): string {
  if (isAscii.test(word)) return word;
  return folds.reduce((text, { fold }) => fold(text), word);
}

/** The rules by which two words are equal: none for the same word, null for words that are not equal. */
export function foldingRules(
  one: string,
  other: string,
  folds: readonly WordFold[],
): MarkRule[] | null {
  if (one === other) return [];
  const areEqual = (some: readonly WordFold[]) => foldWord(one, some) === foldWord(other, some);
  if (!areEqual(folds)) return null;
  const rules = [...new Set(folds.map(({ rule }) => rule))];
  return rules.filter((rule) => !areEqual(folds.filter((fold) => fold.rule !== rule)));
}

/** `ä` as `ae`. */
export const spellUmlauts = (word: string): string =>
  word.replaceAll("ä", "ae").replaceAll("ö", "oe").replaceAll("ü", "ue");
