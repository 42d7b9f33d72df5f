import type { Language } from "./language.js";
import {
  apostrophes,
  composedForm,
  invisibleCharacters,
  punctuation,
  quotesAtEdges,
  widthForms,
} from "./normal-form.js";
import type { SurfaceRule } from "./rule.js";

/** A word as it was written, without the punctuation around it. */
export interface SurfaceWord {
  text: string;
  /** Between the word before and this one: a space, a hyphen or an apostrophe. */
  gap: string;
  /** `po'`, and `perche'` for `perché`. */
  hasFinalApostrophe: boolean;
}

const letter = "[\\p{L}\\p{M}\\p{N}]";
const hyphenInWord = new RegExp(`(?<=${letter})[-\\u2010\\u2011\\u2212\\uff0d](?=${letter})`, "gu");
const apostropheInWord = new RegExp(`(?<=${letter})['＇‘’‛ʹʻʼʽˈ\`´′ꞌ](?=${letter})`, "gu");
const whiteSpace = /[\s\u0085]+/g;
/** Private-use characters hold the place of what must outlast the removal of punctuation. */
const hyphenMark = "\ue002";
const apostropheMark = "\ue003";
const dashMark = "\ue004";

/** The words of a text with their case. As many as its normal form has, but for rare texts. */
export function surfaceWords(text: string, language: Language): SurfaceWord[] {
  const { splitsAtApostrophe } = language;
  const marked = markWords(text)
    .replaceAll(dashMark, "")
    .replace(punctuation, "")
    .replace(whiteSpace, " ")
    .trim();
  const separators = splitsAtApostrophe ? /([ \ue002'])/ : /([ \ue002])/;
  const parts = marked.split(separators);
  return parts.flatMap((part, index) => {
    if (index % 2 === 1) return [];
    const gap = (parts[index - 1] ?? "").replace(hyphenMark, "-");
    const word = part.replace(apostropheMark, "");
    return [{ text: word, gap, hasFinalApostrophe: word !== part }];
  });
}

/** Words with their case, or in the normal form where a text has other words in it. */
export function shownWords(
  text: string,
  words: readonly string[],
  language: Language,
): readonly string[] {
  const shown = surfaceWords(text, language).map((word) => word.text);
  return shown.length === words.length ? shown : words;
}

/** What the normal form forgives between the answer and the key as they are written, apart from single words. */
export function surfaceRules(answer: string, key: string, isSpaced: boolean): SurfaceRule[] {
  const areMarksSame = punctuationTrace(answer) === punctuationTrace(key);
  const traces: [SurfaceRule, (text: string) => string][] = [
    ["invisible", (text) => String(text.search(invisibleCharacters) !== -1)],
    ["width", widthTrace],
    ["normal_form", (text) => String(isComposed(text))],
    ["punctuation", punctuationTrace],
    ["white_space", (text) => whiteSpaceTrace(text, isSpaced, areMarksSame)],
  ];
  const rules = traces.filter(([, trace]) => trace(answer) !== trace(key)).map(([rule]) => rule);
  if (haveOtherForms(answer, key, apostropheInWord)) rules.push("apostrophe");
  if (haveOtherForms(answer, key, hyphenInWord)) rules.push("hyphen");
  return rules;
}

/** As many, but another character. */
function haveOtherForms(answer: string, key: string, pattern: RegExp): boolean {
  const [ours = [], theirs = []] = [answer, key].map(
    (text) => text.replace(invisibleCharacters, "").match(pattern) ?? [],
  );
  return ours.length === theirs.length && ours.join("") !== theirs.join("");
}

/** Full-width punctuation is another punctuation mark. */
const widthTrace = (text: string): string =>
  (text.match(widthForms) ?? [])
    .join("")
    .replace(/./gu, (form) => (/\p{P}/u.test(form.normalize("NFKC")) ? "" : form));

function isComposed(text: string): boolean {
  const folded = text
    .replace(invisibleCharacters, "")
    .replace(widthForms, (run) => run.normalize("NFKC"));
  return folded === folded.normalize("NFC");
}

const punctuationTrace = (text: string): string =>
  (
    markWords(text)
      .replace(apostropheInWord, "")
      .match(/[\p{P}\ue004]/gu) ?? []
  ).join("");

/** White space that had to be trimmed, collapsed or replaced; that beside a mark is a part of the mark when marks differ. */
function whiteSpaceTrace(text: string, isSpaced: boolean, areMarksSame: boolean): string {
  const marked = composedForm(text)
    .replace(apostrophes, "'")
    .replace(quotesAtEdges, dashMark)
    .replace(hyphenInWord, hyphenMark)
    .replace(/[\p{P}\u2212]/gu, (mark) => (mark === "'" ? mark : dashMark));
  const bare = areMarksSame
    ? marked.replaceAll(dashMark, "")
    : marked
        .replace(/[\s\u0085]?\ue004[\s\u0085]?/g, dashMark)
        .replace(/\ue004+/g, dashMark)
        .replace(/^\ue004|\ue004$/g, "")
        .replaceAll(dashMark, isSpaced ? " " : "");
  const runs = [...bare.matchAll(whiteSpace)].filter(({ 0: run, index }) => {
    const isAtEdge = index === 0 || index + run.length === bare.length;
    return !isSpaced || isAtEdge || run !== " ";
  });
  return runs.map(({ 0: run }) => run).join("|");
}

/** Hyphens within words and apostrophes at their end are no punctuation; dashes are, and separate words. */
function markWords(text: string): string {
  const composed = composedForm(text).replace(apostrophes, "'");
  const isQuoted = /(?<![\p{L}\p{M}\p{N}])'(?=[\p{L}\p{N}])/u.test(composed);
  return composed
    .replace(hyphenInWord, hyphenMark)
    .replace(/(?<=[\p{L}\p{M}\p{N}])'(?![\p{L}\p{N}])/gu, isQuoted ? dashMark : apostropheMark)
    .replace(/(?<![\p{L}\p{M}\p{N}])'/gu, dashMark)
    .replace(/[\p{Pd}\u2212]/gu, ` ${dashMark} `);
}
