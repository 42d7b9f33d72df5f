import type { AnswerText } from "./answer-text.js";
import type { PreparedKey } from "./key-match.js";

/** The keys that share most words or characters with the answer. Their order does not depend on that of the keys, but for equal ones. */
export function nearestKeys(
  answer: AnswerText,
  keys: readonly PreparedKey[],
  max: number,
): PreparedKey[] {
  const difference = answer.language.isSpaced
    ? wordDifference(answer.tokens)
    : characterDifference(answer.text);
  return keys
    .map((prepared) => ({ prepared, least: difference(prepared) }))
    .sort((one, other) => one.least - other.least || compare(one.prepared, other.prepared))
    .slice(0, max)
    .map(({ prepared }) => prepared);
}

const compare = ({ key: one }: PreparedKey, { key: other }: PreparedKey): number => {
  if (one.words === other.words) return 0;
  return one.words < other.words ? -1 : 1;
};

/** No alignment has fewer differences than the words that only one side has. */
function wordDifference(tokens: readonly string[]): (key: PreparedKey) => number {
  const ids = new Map<string, number>();
  for (const token of tokens) if (!ids.has(token)) ids.set(token, ids.size);
  const counts = new Uint16Array(ids.size);
  for (const token of tokens) count(counts, ids.get(token) ?? 0, 1);
  const used = new Uint16Array(ids.size);
  return ({ words }) => {
    used.fill(0);
    let shared = 0;
    for (const word of words) {
      const id = ids.get(word);
      if (id === undefined || (used[id] ?? 0) >= (counts[id] ?? 0)) continue;
      count(used, id, 1);
      shared += 1;
    }
    return Math.max(words.length, tokens.length) - shared;
  };
}

const codes = 2 ** 16;
const space = 0x20;

/** Of a Japanese key, the nearer one of its reading and its written form. */
function characterDifference(text: string): (key: PreparedKey) => number {
  const counts = new Uint16Array(codes);
  const used = new Uint16Array(codes);
  for (let at = 0; at < text.length; at += 1) count(counts, text.charCodeAt(at), 1);
  // Spaces, the word boundaries of keys, are never in the text.
  const ofRow = (row: string) => {
    let shared = 0;
    let spaces = 0;
    for (let at = 0; at < row.length; at += 1) {
      const code = row.charCodeAt(at);
      if (code === space) spaces += 1;
      else if ((used[code] ?? 0) < (counts[code] ?? 0)) {
        count(used, code, 1);
        shared += 1;
      }
    }
    for (let at = 0; at < row.length; at += 1) used[row.charCodeAt(at)] = 0;
    return Math.max(row.length - spaces, text.length) - shared;
  };
  return ({ key, words, edges }) => {
    const least = ofRow(key.words);
    const written = writtenRow(words, edges);
    return written === null ? least : Math.min(least, ofRow(written.join("")));
  };
}

const count = (counts: Uint16Array, id: number, by: number) => {
  counts[id] = (counts[id] ?? 0) + by;
};

/** The words of a Japanese key as they are written; null when the reading is. */
export function writtenRow(
  words: readonly string[],
  edges: PreparedKey["edges"],
): readonly string[] | null {
  const written = edges.filter(({ length }) => length === 3);
  if (written.length === 0) return null;
  let at = 0;
  const row: string[] = [];
  for (const [from, to, piece] of written) {
    row.push(...words.slice(at, from), piece);
    at = to;
  }
  return [...row, ...words.slice(at)];
}
