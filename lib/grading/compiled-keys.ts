import type { Rule } from "./rule.js";

/** `any` accepts the reading in either kana and in romaji; the others demand the key as it is written. */
export type Script = "any" | "kana" | "kanji";

/** JSON, stored with the exercise. */
export interface CompiledKeys {
  lang: string;
  script?: Script;
  keys: CompiledKey[];
  /** Words of the course that are a typo away from a word of a key, folded. */
  near?: string[];
}

export interface CompiledKey {
  /** As a learner reads it. */
  text: string;
  /** The normal form; spaces are the word boundaries, in Japanese too. */
  words: string;
  /** In the order of their first word. */
  edges?: KeyEdge[];
}

/** Words that are accepted for the words `from` (included) to `to` (excluded) of the key, and what that forgives. */
export type KeyEdge = [from: number, to: number, words: string, ...rules: Rule[]];

export const withEdges = (key: CompiledKey, edges: KeyEdge[]): CompiledKey =>
  edges.length === 0 ? key : { ...key, edges: edges.toSorted((one, other) => one[0] - other[0]) };
