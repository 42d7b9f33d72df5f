import { align, type Pair } from "./align.js";
import type { AnswerText } from "./answer-text.js";
import type { CompiledKey } from "./compiled-keys.js";
import { foldWord } from "./folds.js";
import type { PreparedKey } from "./key-match.js";
import { writtenRow } from "./nearest-keys.js";
import { shownWords } from "./surface.js";
import type { WordDifference } from "./word-diff.js";

/** Cells of the alignments of all keys; at least one is aligned. */
const cellsMax = 150_000;
const costs = { same: 0, folded: 2, similar: 8, other: 12 };

/** The differences from the nearest of the given keys, the first of equally near ones. */
export function nearestDiff(
  raw: string,
  answer: AnswerText,
  nearest: readonly PreparedKey[],
): WordDifference[] {
  const { isSpaced } = answer.language;
  const items = isSpaced ? answer.tokens : [...answer.text];
  const rows = nearest.flatMap((key) => rowsOf(key, isSpaced));
  let best: { row: Row; pairs: Pair[]; cost: number } | null = null;
  let cells = 0;
  for (const row of rows) {
    cells += row.items.length * items.length;
    if (best && cells > cellsMax) break;
    const aligned = alignRow(row.items, items, answer);
    if (!best || aligned.cost < best.cost) best = { row, ...aligned };
  }
  if (!best) return [];
  const { row, pairs } = best;
  return isSpaced ? spacedDiff(pairs, row.key, raw, answer) : unspacedDiff(pairs, row.words, items);
}

interface Row {
  key: CompiledKey;
  words: readonly string[];
  items: readonly string[];
}

/** A Japanese key is compared as it is read and as it is written. */
function rowsOf({ key, words, edges }: PreparedKey, isSpaced: boolean): Row[] {
  if (isSpaced) return [{ key, words, items: words }];
  const written = writtenRow(words, edges);
  const rows = written === null ? [words] : [words, written];
  return rows.map((row) => ({ key, words: row, items: [...row.join("")] }));
}

function alignRow(row: readonly string[], items: readonly string[], { language }: AnswerText) {
  if (!language.isSpaced) {
    return align(row.length, items.length, (i, j) =>
      row[i] === items[j] ? costs.same : costs.other,
    );
  }
  const one = row.map((word) => foldWord(word, language.folds));
  const other = items.map((word) => foldWord(word, language.folds));
  return align(row.length, items.length, (i, j) => {
    if (row[i] === items[j]) return costs.same;
    if (one[i] === other[j]) return costs.folded;
    return areSimilar(one[i] ?? "", other[j] ?? "") ? costs.similar : costs.other;
  });
}

/** They begin and end alike in half of their letters. */
function areSimilar(one: string, other: string): boolean {
  const shortest = Math.min(one.length, other.length);
  let start = 0;
  while (start < shortest && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < shortest - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  return 2 * (start + end) >= Math.max(one.length, other.length);
}

function spacedDiff(
  pairs: readonly Pair[],
  key: CompiledKey,
  raw: string,
  { tokens, language }: AnswerText,
): WordDifference[] {
  const expected = shownWords(key.text, key.words.split(" "), language);
  const given = shownWords(raw, tokens, language);
  const words = key.words.split(" ");
  return pairs.map(([i, j]): WordDifference => {
    if (i === null) return { op: "extra", given: given[j ?? 0] ?? "" };
    if (j === null) return { op: "missing", expected: expected[i] ?? "" };
    const op = words[i] === tokens[j] ? "same" : "changed";
    return { op, expected: expected[i] ?? "", given: given[j] ?? "" };
  });
}

/** Characters of the answer belong to the word of the key that they are aligned with, extra ones to the word before. */
function unspacedDiff(
  pairs: readonly Pair[],
  words: readonly string[],
  characters: readonly string[],
): WordDifference[] {
  const wordAt = words.flatMap((word, index) => [...word].map(() => index));
  const given = words.map(() => "");
  let [before, after, current] = ["", "", -1];
  const lastOfKey = pairs.findLastIndex(([i]) => i !== null);
  for (const [index, [i, j]] of pairs.entries()) {
    if (i !== null) current = wordAt[i] ?? current;
    if (j === null) continue;
    const character = characters[j] ?? "";
    if (current === -1) before += character;
    else if (index > lastOfKey) after += character;
    else given[current] += character;
  }
  const extra = (text: string): WordDifference[] => (text ? [{ op: "extra", given: text }] : []);
  return [
    ...extra(before),
    ...words.map((expected, index): WordDifference => {
      const text = given[index] ?? "";
      if (text === "") return { op: "missing", expected };
      return { op: text === expected ? "same" : "changed", expected, given: text };
    }),
    ...extra(after),
  ];
}
