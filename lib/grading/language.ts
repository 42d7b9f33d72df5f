import { foldsOf, foldWord, type WordFold } from "./folds.js";
import { german } from "./languages/de.js";
import { english } from "./languages/en.js";
import { spanish } from "./languages/es.js";
import { french } from "./languages/fr.js";
import { hindi } from "./languages/hi.js";
import { italian } from "./languages/it.js";
import { japanese } from "./languages/ja.js";
import type { LanguageData } from "./languages/language-data.js";
import { portuguese } from "./languages/pt.js";
import { normalForm } from "./normal-form.js";

/** The data of a language in the normal form of answers. Pairs and endings are folded as well. */
export interface Language {
  tag: string;
  isSpaced: boolean;
  splitsAtApostrophe: boolean;
  hasUmlauts: boolean;
  folds: readonly WordFold[];
  functionWords: ReadonlySet<string>;
  /** Each form and each expansion, with what is accepted in its place. */
  contractions: ReadonlyMap<string, readonly string[]>;
  wordsWithoutApostrophe: ReadonlySet<string>;
  wordsInFinalHa: ReadonlySet<string>;
  realWordPairs: ReadonlySet<string>;
  endings: readonly ReadonlySet<string>[];
  /** The words of each number, and the number of each word or phrase. */
  numberWords: readonly (readonly string[])[];
  numbers: ReadonlyMap<string, number>;
}

const known: readonly LanguageData[] = [
  spanish,
  french,
  german,
  italian,
  english,
  japanese,
  hindi,
  portuguese,
  { tag: "zh", isSpaced: false },
  { tag: "th", isSpaced: false },
];
const dataByTag = new Map(known.map((data) => [data.tag, data]));
const parsed = new Map<string, Language>();

/** By BCP 47 tag; regions and scripts are ignored. A language without data has the rules of all languages only. */
export function findLanguage(bcp47: string): Language {
  const [tag = ""] = bcp47.toLowerCase().split("-");
  const data = dataByTag.get(tag);
  // Only known tags are remembered, so that callers cannot fill the memory.
  if (!data) return parse({ tag });
  const found = parsed.get(tag) ?? parse(data);
  parsed.set(tag, found);
  return found;
}

/** The words of a text in its normal form, split as the language's answers are. */
export function wordsOf(text: string, language: Language): string[] {
  const normal = normalForm(text, language.tag);
  const split = language.splitsAtApostrophe ? normal.replaceAll("'", " ") : normal;
  return split === "" ? [] : split.split(" ");
}

function parse(data: LanguageData): Language {
  const { tag, isSpaced = true } = data;
  const folds = foldsOf(data);
  const normal = (text: string) => normalForm(text, tag);
  const folded = (text: string) => foldWord(normal(text), folds);
  const contractions = parseContractions(data, normal);
  const numberWords = listOf(data.numbers, ",").map((words) => listOf(words, " / ").map(normal));
  return {
    tag,
    isSpaced,
    splitsAtApostrophe: data.splitsAtApostrophe ?? false,
    hasUmlauts: data.hasUmlauts ?? false,
    folds,
    functionWords: new Set([
      ...Object.values(data.functionWords ?? {}).flatMap((words) => listOf(words, " ").map(normal)),
      ...[...contractions.keys()].filter((form) => !form.includes(" ")),
    ]),
    contractions,
    wordsWithoutApostrophe: new Set(listOf(data.wordsWithoutApostrophe, " ").map(normal)),
    wordsInFinalHa: new Set(listOf(data.wordsInFinalHa, " ").map(normal)),
    realWordPairs: new Set(
      listOf(data.realWordPairs, ",").flatMap((pair) => {
        const [one = "", other = ""] = listOf(pair, " ").map(folded);
        return [`${one} ${other}`, `${other} ${one}`];
      }),
    ),
    endings: listOf(data.endings, ",").map(
      (group) =>
        new Set(listOf(group, " ").map((ending) => (ending === "-" ? "" : folded(ending)))),
    ),
    numberWords,
    numbers: new Map(
      numberWords.flatMap((words, number) => words.map((word) => [word, number] as const)),
    ),
  };
}

function parseContractions(data: LanguageData, normal: (text: string) => string) {
  const contractions = new Map<string, string[]>();
  const add = (form: string, other: string) => {
    const words = data.splitsAtApostrophe ? form.replaceAll("'", " ") : form;
    contractions.set(words, [...(contractions.get(words) ?? []), other]);
  };
  for (const entry of listOf(data.contractions, ",")) {
    const [form = "", expansions] = entry.split(": ");
    for (const expansion of listOf(expansions, " / ")) {
      add(normal(form), normal(expansion));
      add(normal(expansion), normal(form));
    }
  }
  return contractions;
}

const listOf = (list: string | undefined, separator: string): string[] =>
  (list ?? "")
    .replace(/\s+/g, " ")
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== "");
