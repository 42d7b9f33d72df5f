import type { AnswerText } from "./answer-text.js";
import type { CompiledKey, KeyEdge } from "./compiled-keys.js";
import { foldingRules, foldWord, spellUmlauts } from "./folds.js";
import { kanaEnd } from "./kana.js";
import type { Rule } from "./rule.js";
import { type TypoOptions, typoBudget, typoRules } from "./typo.js";

export interface MatchOptions extends TypoOptions {
  forgivesTypos: boolean;
}

/** A part of a key and the part of the answer that stands for it. Positions are those of `AnswerText`. */
export interface MatchedPart {
  /** Words of the key. */
  from: number;
  to: number;
  /** Tokens, or characters of the text. */
  start: number;
  end: number;
  rules: readonly Rule[];
  isMistyped: boolean;
}

export interface KeyMatch {
  parts: MatchedPart[];
  cost: number;
}

/** A typo outweighs any number of missing marks, a mark any number of what still counts as right. */
const costs = { typo: 1_000_000, accent: 1_000, rule: 1 };
export const verdictOfCost = (cost: number): "right" | "accent" | "typo" => {
  if (cost >= costs.typo) return "typo";
  return cost >= costs.accent ? "accent" : "right";
};

interface Path {
  end: number;
  cost: number;
  part: MatchedPart | null;
  before: Path | null;
}

interface WordRead {
  end: number;
  cost: number;
  rules: readonly Rule[];
}

/** Compares answers with keys, word by word. What it has learned about two words is kept for the next key. */
export function keyMatcher(answer: AnswerText, options: MatchOptions) {
  const { language, tokens, text, isRomaji } = answer;
  const readWord = language.isSpaced ? readToken : readCharacters;
  const known = new Map<string, WordRead | null>();
  const length = language.isSpaced ? tokens.length : text.length;

  /** The cheapest way to take the answer for the key; null when there is none. */
  return function match(key: CompiledKey): KeyMatch | null {
    const words = key.words.split(" ");
    const typosMax = options.forgivesTypos ? Math.max(1, Math.floor(words.length / 4)) : 0;
    const costMax = (typosMax + 1) * costs.typo;
    const reached: Path[][] = [[{ end: 0, cost: 0, part: null, before: null }]];
    let furthest = 0;
    for (let from = 0; from < words.length && from <= furthest; from += 1) {
      const paths = reached[from];
      if (!paths) continue;
      const word = words[from] ?? "";
      for (const path of paths) {
        for (const read of readWord(word, path.end, options.forgivesTypos)) {
          const part = { from, to: from + 1, start: path.end, end: read.end, rules: read.rules };
          extend(path, part, read.cost);
        }
      }
      for (const edge of key.edges ?? []) {
        if (edge[0] === from) for (const path of paths) followEdge(path, edge, words);
      }
    }
    const whole = reached[words.length]?.find(({ end }) => end === length);
    return whole ? { parts: partsOf(whole), cost: whole.cost } : null;

    function extend(before: Path, part: Omit<MatchedPart, "isMistyped">, added: number) {
      const cost = before.cost + added;
      if (cost >= costMax) return;
      furthest = Math.max(furthest, part.to);
      const path = {
        end: part.end,
        cost,
        part: { ...part, isMistyped: added >= costs.typo },
        before,
      };
      const others = reached[part.to] ?? [];
      reached[part.to] = others;
      const same = others.findIndex(({ end }) => end === part.end);
      if (same === -1) others.push(path);
      else if (cost < (others[same]?.cost ?? 0)) others[same] = path;
    }

    function followEdge(path: Path, [from, to, form, ...rules]: KeyEdge, words: readonly string[]) {
      if (!isRomaji && rules.some((rule) => rule === "romaji" || rule === "particle_romaji"))
        return;
      for (const read of readEdge(form, path.end, words.slice(from, to))) {
        const added = read.cost + rules.length * costs.rule;
        extend(
          path,
          { from, to, start: path.end, end: read.end, rules: [...rules, ...read.rules] },
          added,
        );
      }
    }
  };

  function readEdge(form: string, start: number, words: readonly string[]): WordRead[] {
    let reads: WordRead[] = [{ end: start, cost: 0, rules: [] }];
    for (const word of form.split(" ")) {
      reads = reads.flatMap((read) =>
        readWord(word, read.end, false).map(({ end, cost, rules }) => ({
          end,
          cost: read.cost + cost,
          rules: [...read.rules, ...rules],
        })),
      );
    }
    return reads.length > 0 ? reads : readJoined(form, start, words);
  }

  /** `letudiatn`: the typo must be in the last of the words that were joined, because the others are function words. */
  function readJoined(form: string, start: number, words: readonly string[]): WordRead[] {
    const last = words.at(-1) ?? "";
    const token = tokens[start];
    if (!options.forgivesTypos || words.length < 2 || !token || form !== words.join("")) return [];
    const first = form.slice(0, form.length - last.length);
    if (!token.startsWith(first)) return [];
    const read = compare(last, token.slice(first.length), true);
    return read ? [{ ...read, end: start + 1 }] : [];
  }

  function readToken(word: string, start: number, forgivesTypos: boolean): WordRead[] {
    const token = tokens[start];
    if (token === undefined) return [];
    if (token === word) return [{ end: start + 1, cost: 0, rules: [] }];
    const read = compare(word, token, forgivesTypos);
    return read ? [{ ...read, end: start + 1 }] : [];
  }

  function readCharacters(word: string, start: number, forgivesTypos: boolean): WordRead[] {
    const end = kanaEnd(text, word, start);
    const reads: WordRead[] = end === -1 ? [] : [{ end, cost: 0, rules: [] }];
    const budget = forgivesTypos ? typoBudget(word, language) : 0;
    for (let longer = -budget; longer <= budget && budget > 0; longer += 1) {
      const to = start + word.length + longer;
      if (to > text.length || to === end) continue;
      const read = compare(word, text.slice(start, to), true);
      if (read) reads.push({ ...read, end: to });
    }
    return reads;
  }

  function compare(word: string, given: string, forgivesTypos: boolean): WordRead | null {
    const id = `${forgivesTypos ? "typo" : ""} ${word} ${given}`;
    const found = known.get(id);
    if (found !== undefined) return found;
    const read = compareAnew(word, given, forgivesTypos);
    known.set(id, read);
    return read;
  }

  function compareAnew(word: string, given: string, forgivesTypos: boolean): WordRead | null {
    const { folds } = language;
    if (language.isSpaced) {
      const rights = folds.filter(({ verdict }) => verdict === "right");
      const right = rights.length > 0 ? foldingRules(word, given, rights) : null;
      if (right) return { end: 0, cost: right.length * costs.rule, rules: right };
      const marks = foldingRules(word, given, folds);
      if (marks) return options.forgivesMarks ? { end: 0, cost: costs.accent, rules: marks } : null;
      if (language.hasUmlauts && options.forgivesMarks) {
        const isSpelled = foldWord(spellUmlauts(word), folds) === foldWord(given, folds);
        if (isSpelled) return { end: 0, cost: costs.accent, rules: ["umlaut_digraph"] };
      }
    }
    const rules = forgivesTypos ? typoRules(word, given, options) : null;
    return rules && { end: 0, cost: costs.typo, rules };
  }
}

function partsOf(path: Path): MatchedPart[] {
  const parts: MatchedPart[] = [];
  for (let at: Path | null = path; at?.part; at = at.before) parts.unshift(at.part);
  return parts;
}
