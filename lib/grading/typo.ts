import { differingLetters, editDistance, lettersOf, type MayEdit } from "./edit-distance.js";
import { foldWord } from "./folds.js";
import { kanaEdits, withoutDakuten } from "./kana.js";
import type { Language } from "./language.js";
import type { Rule } from "./rule.js";

const lettersPerEdit = 5;
/** Longer words of languages without spaces have lost their word boundaries. */
const unspacedLettersMax = 12;
const vowelSigns = /[\u093a\u093b\u093e-\u094f\u0955-\u0957\u0962\u0963]/;

/** How many edits a word of a key may have. */
export function typoBudget(word: string, language: Language): number {
  // UTF-16 units, at least as many as letters.
  if (word.length < lettersPerEdit) return 0;
  const letters = [...word].length;
  if (!language.isSpaced && letters > unspacedLettersMax) return 0;
  return Math.floor(letters / lettersPerEdit);
}

export interface TypoOptions {
  language: Language;
  near: ReadonlySet<string>;
  /** False where a missing mark is not forgiven. */
  forgivesMarks: boolean;
}

/** What has to be forgiven to take `given` for the mistyped `word`; null when it is not. */
export function typoRules(word: string, given: string, options: TypoOptions): Rule[] | null {
  const { language, near, forgivesMarks } = options;
  const budget = typoBudget(word, language);
  if (budget === 0 || Math.abs(word.length - given.length) > 2 * budget + 2) return null;
  const { functionWords, numbers, realWordPairs, folds } = language;
  if (functionWords.has(word) || functionWords.has(given) || numbers.has(given)) return null;
  const one = foldWord(word, folds);
  const other = foldWord(given, folds);
  const distance = distanceOf(one, other, budget, language);
  if (distance === 0 || distance > budget) return null;
  if (near.has(other) || realWordPairs.has(`${one} ${other}`)) return null;
  if (differOnlyInEnding(one, other, language)) return null;
  if (/\d/.test(word + given) || isSameWithoutApostrophe(one, other)) return null;
  if (language.tag === "ja" && hidesDakuten(one, other, distance)) return null;
  const marks = missingMarks(word, given, distance, language);
  return marks.length > 0 && !forgivesMarks ? null : ["typo", ...marks];
}

function distanceOf(one: string, other: string, max: number, { tag }: Language): number {
  if (tag === "ja") return editDistance(one, other, max, kanaEdits(one, other));
  if (tag !== "hi") {
    const [ours, theirs] = differingLetters(one, other);
    return editDistance(lettersOf(ours), lettersOf(theirs), max);
  }
  const isSign = (letter = "") => vowelSigns.test(letter);
  const mayEdit: MayEdit = (i, j) =>
    !(i !== null && isSign(one[i])) && !(j !== null && isSign(other[j]));
  return editDistance(one, other, max, mayEdit);
}

/** か for が as a letter missing and another one extra. */
function hidesDakuten(one: string, other: string, distance: number): boolean {
  const [ours, theirs] = [one, other].map((word) => [...word].map(withoutDakuten));
  return editDistance(ours ?? [], theirs ?? [], distance) < distance;
}

function differOnlyInEnding(one: string, other: string, { endings }: Language): boolean {
  let shared = 0;
  while (shared < one.length && one[shared] === other[shared]) shared += 1;
  for (const group of endings) {
    // The endings may begin with the same letters: `ado`, `ada`.
    for (let stem = shared; stem > 0; stem -= 1) {
      if (group.has(one.slice(stem)) && group.has(other.slice(stem))) return true;
    }
  }
  return false;
}

const isSameWithoutApostrophe = (one: string, other: string) =>
  one.replaceAll("'", "") === other.replaceAll("'", "");

/** Marks that the given word lacks beside its typos: they would be edits, if words were not folded. */
function missingMarks(word: string, given: string, distance: number, { folds }: Language): Rule[] {
  const marks = folds.filter(({ verdict }) => verdict === "accent");
  return marks
    .filter(({ rule, letters }) => {
      if (letters) return word.match(letters)?.length !== given.match(letters)?.length;
      const others = folds.filter((fold) => fold.rule !== rule);
      const [ours, theirs] = differingLetters(foldWord(word, others), foldWord(given, others));
      return editDistance(lettersOf(ours), lettersOf(theirs), distance) > distance;
    })
    .map(({ rule }) => rule);
}
