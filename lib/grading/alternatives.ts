import type { KeyEdge } from "./compiled-keys.js";
import type { Language } from "./language.js";

type IsWord = (word: string) => boolean;
/** `aujourd'hui` has one, `qu'aujourd'hui` two. */
const joinedMax = 4;
/** `quatre-vingt-dix-sept` has four words. */
const phraseWordsMax = 5;

/** A missing apostrophe, unless that makes another word; and for `don't`, which is one word, a space in its place. */
export function joinedEdges(
  tokens: readonly string[],
  language: Language,
  isWord: IsWord,
): KeyEdge[] {
  const edges: KeyEdge[] = [];
  let at = 0;
  for (const token of tokens) {
    const parts = token.split("'");
    if (!language.splitsAtApostrophe) {
      edges.push(
        ...apostropheForms(token, isWord).map((form): KeyEdge => [at, at + 1, form, "apostrophe"]),
      );
      at += 1;
      continue;
    }
    for (let from = 0; from < parts.length && parts.length <= joinedMax; from += 1) {
      for (let to = from + 2; to <= parts.length; to += 1) {
        const joined = parts.slice(from, to).join("");
        if (!isWord(joined)) edges.push([at + from, at + to, joined, "apostrophe"]);
      }
    }
    at += parts.length;
  }
  return edges;
}

function apostropheForms(token: string, isWord: IsWord): string[] {
  if (!token.includes("'")) return [];
  const joined = token.replaceAll("'", "");
  const spaced = token.replaceAll("'", " ");
  return isWord(joined) ? [spaced] : [spaced, joined];
}

export function contractionEdges(
  words: readonly string[],
  language: Language,
  isWord: IsWord,
): KeyEdge[] {
  const edges: KeyEdge[] = [];
  forEachPhrase(words, (phrase, from, to) => {
    for (const other of language.contractions.get(phrase) ?? []) {
      edges.push([from, to, asWords(other, language), "contraction"]);
      for (const form of apostropheForms(other, isWord)) {
        if (asWords(other, language) !== form)
          edges.push([from, to, form, "contraction", "apostrophe"]);
      }
    }
  });
  return edges;
}

const asWords = (text: string, language: Language) =>
  language.splitsAtApostrophe ? text.replaceAll("'", " ") : text;

/** A numeral for number words and the reverse. The longest phrase is the number: `treinta y uno` is never `30 y 1`. */
export function numeralEdges(
  words: readonly string[],
  language: Language,
  heldNumerals: ReadonlySet<string>,
): KeyEdge[] {
  const edges: KeyEdge[] = [];
  let from = 0;
  while (from < words.length) {
    const to = endOfNumber(words, from, language);
    const phrase = words.slice(from, to).join(" ");
    const number = language.numbers.get(phrase);
    if (number !== undefined && !heldNumerals.has(String(number)))
      edges.push([from, to, String(number), "numeral"]);
    if (/^\d+$/.test(phrase) && !heldNumerals.has(phrase)) {
      const others = language.numberWords[Number(phrase)] ?? [];
      edges.push(...others.map((other): KeyEdge => [from, to, other, "numeral"]));
    }
    from = to;
  }
  return edges;
}

function endOfNumber(words: readonly string[], from: number, language: Language): number {
  for (let to = Math.min(words.length, from + phraseWordsMax); to > from + 1; to -= 1) {
    if (language.numbers.has(words.slice(from, to).join(" "))) return to;
  }
  return from + 1;
}

function forEachPhrase(
  words: readonly string[],
  visit: (phrase: string, from: number, to: number) => void,
): void {
  for (let from = 0; from < words.length; from += 1) {
    for (let to = from + 1; to <= Math.min(words.length, from + 2); to += 1) {
      visit(words.slice(from, to).join(" "), from, to);
    }
  }
}
