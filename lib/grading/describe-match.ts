import type { AnswerText } from "./answer-text.js";
import type { CompiledKey } from "./compiled-keys.js";
import { foldWord } from "./folds.js";
import { canonicalKana } from "./kana.js";
import type { MatchedPart } from "./key-match.js";
import type { Language } from "./language.js";
import { normalForm } from "./normal-form.js";
import type { Rule } from "./rule.js";
import { type SurfaceWord, surfaceRules, surfaceWords } from "./surface.js";
import type { WordDifference } from "./word-diff.js";

/** A part of the answer as it was written, with everything that was forgiven in it. */
export interface DescribedPart {
  difference: WordDifference;
  rules: readonly Rule[];
  isMistyped: boolean;
}

const markRules = new Set<Rule>([
  ...(["accent", "ligature", "eszett", "umlaut_digraph", "apostrophe_accent"] as const),
  ...(["candrabindu", "nukta"] as const),
]);
export const isMarkRule = (rule: Rule): boolean => markRules.has(rule);

export function describeMatch(
  raw: string,
  key: CompiledKey,
  answer: AnswerText,
  parts: readonly MatchedPart[],
): DescribedPart[] {
  const { language, tokens, text } = answer;
  const words = key.words.split(" ");
  if (!language.isSpaced) {
    return parts.map((part) =>
      describe(
        part,
        words.slice(part.from, part.to).join(""),
        text.slice(part.start, part.end),
        part.rules,
      ),
    );
  }
  const expected = writtenWords(key.text, words, language);
  const given = writtenWords(raw, tokens, language);
  return parts.map((part) => {
    const keyPart = expected.slice(part.from, part.to);
    const answerPart = given.slice(part.start, part.end);
    const rules = spellingRules(part, keyPart, answerPart, language);
    return describe(part, joined(keyPart), joined(answerPart), rules);
  });
}

function describe(
  part: MatchedPart,
  expected: string,
  given: string,
  rules: readonly Rule[],
): DescribedPart {
  const { isMistyped } = part;
  // An accent on the right letter may be forgiven as right: it is a difference only when it is named.
  const isChanged = isMistyped || rules.some(isMarkRule);
  return { difference: { op: isChanged ? "changed" : "same", expected, given }, rules, isMistyped };
}

/** What is forgiven in the text as a whole, rather than in one of its words. */
export function wholeTextRules(
  raw: string,
  key: CompiledKey,
  answer: AnswerText,
  parts: readonly MatchedPart[],
): Rule[] {
  const { language, isRomaji } = answer;
  const rules = surfaceRules(raw, key.text, language.isSpaced);
  if (language.tag !== "ja") return rules;
  const form = normalForm(raw, language.tag);
  const kana = isRomaji ? romajiRules(form, key) : kanaRules(form.replaceAll(" ", ""), key, parts);
  return [...rules.filter((rule) => !(isRomaji && rule === "white_space")), ...kana];
}

function romajiRules(form: string, key: CompiledKey): Rule[] {
  const hasMacron = /[āâīîūûēêōô]/.test(form);
  return hasMacron || key.text.includes("ー") ? ["romaji", "long_vowel"] : ["romaji"];
}

function kanaRules(text: string, key: CompiledKey, parts: readonly MatchedPart[]): Rule[] {
  const written = normalForm(key.text, "ja").replaceAll(" ", "");
  const words = key.words.split(" ");
  const isRead = parts.some(({ from, to, start, end, rules, isMistyped }) => {
    if (rules.includes("numeral")) return false;
    if (isMistyped) return !canonicalKana(written).includes(words.slice(from, to).join(""));
    return !written.includes(text.slice(start, end));
  });
  if (!isRead) return [];
  const longVowels = (word: string) => word.split("ー").length;
  const isDoubled = written.includes("ー") && longVowels(written) !== longVowels(text);
  return isDoubled ? ["kana", "long_vowel"] : ["kana"];
}

/** In their normal form where a text has other words in it than its normal form. */
function writtenWords(text: string, words: readonly string[], language: Language): SurfaceWord[] {
  const written = surfaceWords(text, language);
  if (written.length === words.length) return written;
  return words.map((word) => ({ text: word, gap: " ", hasFinalApostrophe: false }));
}

const joined = (words: readonly SurfaceWord[]): string =>
  words.map(({ text, gap }, index) => (index === 0 ? text : gap + text)).join("");

function spellingRules(
  part: MatchedPart,
  expected: readonly SurfaceWord[],
  given: readonly SurfaceWord[],
  language: Language,
): Rule[] {
  const rules = new Set<Rule>(part.rules);
  const [key, answer] = [expected[0], given[0]];
  if (!key || !answer) return [...rules];
  if (part.from > 0 && part.start > 0 && key.gap !== answer.gap) {
    const gaps = key.gap + answer.gap;
    if (gaps.includes("-")) rules.add("hyphen");
    if (gaps.includes("'")) rules.add("apostrophe");
  }
  if (differInCase(key.text, answer.text, language)) rules.add("case");
  const [keyEnd, answerEnd] = [expected.at(-1), given.at(-1)];
  if (keyEnd?.hasFinalApostrophe === answerEnd?.hasFinalApostrophe) return [...rules];
  if (keyEnd?.hasFinalApostrophe) rules.add("apostrophe");
  else if (rules.has("accent") && isAccentAtEnd(key.text, language)) {
    rules.add("apostrophe_accent");
    if (haveSameBeginning(key.text, answer.text, language)) rules.delete("accent");
  } else rules.add("punctuation");
  return [...rules];
}

const isAccentAtEnd = (word: string, { folds }: Language): boolean => {
  const last = [...word].at(-1) ?? "";
  return foldWord(last, folds) !== last;
};

function haveSameBeginning(key: string, answer: string, { tag }: Language): boolean {
  const [one, other] = [key, answer].map((word) =>
    [...word.toLocaleLowerCase(tag)].slice(0, -1).join(""),
  );
  return one === other;
}

/** Of words that differ in more than marks, only the first letters are compared. */
function differInCase(key: string, answer: string, { tag, folds }: Language): boolean {
  const pairs = [
    [key, answer],
    [foldWord(key, folds), foldWord(answer, folds)],
    [[...key][0] ?? "", [...answer][0] ?? ""],
  ] as const;
  const isSame = (one: string, other: string) =>
    one.toLocaleLowerCase(tag) === other.toLocaleLowerCase(tag);
  const comparable = pairs.find(([one, other]) => isSame(one, other));
  return comparable !== undefined && comparable[0] !== comparable[1];
}
