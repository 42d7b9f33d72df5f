import type { AnswerText } from "./answer-text.js";
import { foldingRules, foldWord, spellUmlauts } from "./folds.js";
import { kanaEnd } from "./kana.js";
import type { Rule } from "./rule.js";
import { type TypoOptions, typoBudget, typoRules } from "./typo.js";

/** A typo outweighs any number of missing marks, a mark any number of what still counts as right. */
export const costs = { typo: 1_000_000, accent: 1_000, rule: 1 };

/** A word of a key as it was found in the answer. Positions are those of tokens, or of characters. */
export interface WordRead {
  end: number;
  cost: number;
  rules: readonly Rule[];
}

export interface WordReader {
  /** Where the answer ends. */
  length: number;
  /** Where a word ends that stands at `start` exactly as it is; -1 when another does. */
  exactEnd(word: string, start: number): number;
  /** All ways in which what stands at `start` may be taken for the word. */
  read(word: string, start: number, forgivesTypos: boolean): WordRead[];
  /** `letudiatn`: a typo in the last of words that were joined by mistake. The others are function words. */
  readJoined(words: readonly string[], start: number): WordRead | null;
}

/** What it has learned about two words is kept for the next key. */
export function wordReader(answer: AnswerText, options: TypoOptions): WordReader {
  const compare = wordComparer(options);
  return answer.language.isSpaced
    ? tokenReader(answer.tokens, compare)
    : characterReader(answer, compare);
}

type Compare = (word: string, given: string, forgivesTypos: boolean) => WordRead | null;

function tokenReader(tokens: readonly string[], compare: Compare): WordReader {
  const exactEnd = (word: string, start: number) => (tokens[start] === word ? start + 1 : -1);
  return {
    length: tokens.length,
    exactEnd,
    read(word, start, forgivesTypos) {
      const token = tokens[start];
      if (token === undefined) return [];
      if (token === word) return [{ end: start + 1, cost: 0, rules: [] }];
      const read = compare(word, token, forgivesTypos);
      return read ? [{ ...read, end: start + 1 }] : [];
    },
    readJoined(words, start) {
      const first = words.slice(0, -1).join("");
      const token = tokens[start] ?? "";
      if (!token.startsWith(first)) return null;
      const read = compare(words.at(-1) ?? "", token.slice(first.length), true);
      return read && { ...read, end: start + 1 };
    },
  };
}

function characterReader({ text, language }: AnswerText, compare: Compare): WordReader {
  return {
    length: text.length,
    exactEnd: (word, start) => kanaEnd(text, word, start),
    read(word, start, forgivesTypos) {
      const end = kanaEnd(text, word, start);
      const reads: WordRead[] = end === -1 ? [] : [{ end, cost: 0, rules: [] }];
      const budget = forgivesTypos ? typoBudget(word, language) : 0;
      for (let longer = -budget; longer <= budget && budget > 0; longer += 1) {
        const to = start + word.length + longer;
        if (to > text.length || to === end) continue;
        // One edit leaves the first or the last letter.
        const isLikely = text[start] === word[0] || text[to - 1] === word.at(-1);
        const read = isLikely || budget > 1 ? compare(word, text.slice(start, to), true) : null;
        if (read) reads.push({ ...read, end: to });
      }
      return reads;
    },
    readJoined: () => null,
  };
}

function wordComparer(options: TypoOptions): Compare {
  const { language, forgivesMarks } = options;
  const rightFolds = language.folds.filter(({ verdict }) => verdict === "right");
  const known = { typos: new Map<string, Known>(), exact: new Map<string, Known>() };
  type Known = Map<string, WordRead | null>;

  return function compare(word, given, forgivesTypos) {
    const ofKind = forgivesTypos ? known.typos : known.exact;
    const ofWord = ofKind.get(word) ?? new Map<string, WordRead | null>();
    const found = ofWord.get(given);
    if (found !== undefined) return found;
    const read = compareAnew(word, given, forgivesTypos);
    ofKind.set(word, ofWord.set(given, read));
    return read;
  };

  function compareAnew(word: string, given: string, forgivesTypos: boolean): WordRead | null {
    const folded = language.isSpaced ? compareFolded(word, given) : null;
    if (folded) return folded.cost < costs.accent || forgivesMarks ? folded : null;
    const rules = forgivesTypos ? typoRules(word, given, options) : null;
    return rules && { end: 0, cost: costs.typo, rules };
  }

  function compareFolded(word: string, given: string): WordRead | null {
    const { folds, hasUmlauts } = language;
    const right = rightFolds.length > 0 ? foldingRules(word, given, rightFolds) : null;
    if (right) return { end: 0, cost: right.length * costs.rule, rules: right };
    const marks = foldingRules(word, given, folds);
    if (marks) return { end: 0, cost: costs.accent, rules: marks };
    const isSpelled = hasUmlauts && foldWord(spellUmlauts(word), folds) === foldWord(given, folds);
    return isSpelled ? { end: 0, cost: costs.accent, rules: ["umlaut_digraph"] } : null;
  }
}
