import type { CompiledKey, KeyEdge } from "./compiled-keys.js";
import type { Rule } from "./rule.js";
import { costs, type WordRead, type WordReader } from "./word-reader.js";

/** A part of a key and the part of the answer that stands for it. */
export interface MatchedPart {
  /** Words of the key. */
  from: number;
  to: number;
  /** As in `WordReader`. */
  start: number;
  end: number;
  rules: readonly Rule[];
  isMistyped: boolean;
}

export interface KeyMatch {
  parts: MatchedPart[];
  cost: number;
}

/** A key with its words. */
export interface PreparedKey {
  key: CompiledKey;
  words: readonly string[];
  edges: readonly KeyEdge[];
}

export const prepareKey = (key: CompiledKey): PreparedKey => ({
  key,
  words: key.words.split(" "),
  edges: key.edges ?? [],
});

export const verdictOfCost = (cost: number): "right" | "accent" | "typo" => {
  if (cost >= costs.typo) return "typo";
  return cost >= costs.accent ? "accent" : "right";
};

/** A way through the first words of a key, by its last part. `isRun` stands for words that are equal one by one. */
interface Path extends MatchedPart {
  cost: number;
  isRun: boolean;
  before: Path | null;
}

const noRules: readonly Rule[] = [];
const beginning: Path = {
  ...{ from: 0, to: 0, start: 0, end: 0, rules: noRules, isMistyped: false },
  ...{ cost: 0, isRun: false, before: null },
};

/** Where words are not separated, a word may end in several places. */
const pathsMax = 8;
const wordsPerTypo = 4;

export interface MatchOptions {
  forgivesTypos: boolean;
  isRomaji: boolean;
  isSpaced: boolean;
}

/** The cheapest way in which the answer matches the key; null if it does not match. */
export function matchKey(
  { words, edges }: PreparedKey,
  reader: WordReader,
  { forgivesTypos, isRomaji, isSpaced }: MatchOptions,
): KeyMatch | null {
  const typosMax = forgivesTypos ? Math.max(1, Math.floor(words.length / wordsPerTypo)) : 0;
  const costMax = (typosMax + 1) * costs.typo;
  const reached = new Array<Path[] | undefined>(words.length + 1);
  reached[0] = [beginning];
  let furthest = 0;
  // Another reading of a word that stands there exactly is never better where spaces separate words.
  const maySkip = isSpaced || !forgivesTypos;
  let nextEdge = 0;
  for (let from = 0; from < words.length && from <= furthest; from += 1) {
    const paths = reached[from];
    if (!paths) continue;
    while ((edges[nextEdge]?.[0] ?? from) < from) nextEdge += 1;
    for (const path of paths) readFrom(path, from);
    for (let at = nextEdge; edges[at]?.[0] === from; at += 1) {
      for (const path of paths) followEdge(path, edges[at] as KeyEdge);
    }
  }
  const whole = reached[words.length]?.find(({ end }) => end === reader.length);
  return whole ? { parts: partsOf(whole, words, isSpaced), cost: whole.cost } : null;

  function readFrom(path: Path, from: number) {
    const exactEnd = maySkip ? skipExact(path, from) : -1;
    if (exactEnd !== -1) return;
    for (const { end, cost, rules } of reader.read(words[from] ?? "", path.end, forgivesTypos)) {
      extend(path, from, from + 1, end, cost, rules);
    }
  }

  /** Over all words that are equal, up to the first at which there is another way. */
  function skipExact(path: Path, from: number): number {
    let [to, end, edge] = [from, path.end, nextEdge];
    while (to < words.length && (to === from || !reached[to])) {
      while ((edges[edge]?.[0] ?? to) < to) edge += 1;
      if (to > from && mayFollow(edge, to, end)) break;
      const next = reader.exactEnd(words[to] ?? "", end);
      if (next === -1) break;
      to += 1;
      end = next;
    }
    if (to === from) return -1;
    extend(path, from, to, end, 0, noRules, to > from + 1);
    return end;
  }

  /** An edge at a word that is equal is another way only if it begins with the same word. */
  function mayFollow(edge: number, from: number, start: number): boolean {
    for (let at = edge; edges[at]?.[0] === from; at += 1) {
      if (reader.exactEnd(edges[at]?.[2].split(" ", 1)[0] ?? "", start) !== -1) return true;
    }
    return false;
  }

  function followEdge(path: Path, [from, to, form, ...rules]: KeyEdge) {
    if (!isRomaji && rules.some((rule) => rule === "romaji" || rule === "particle_romaji")) return;
    const exactEnd = reader.exactEnd(form, path.end);
    if (exactEnd !== -1) {
      extend(path, from, to, exactEnd, rules.length * costs.rule, rules);
      return;
    }
    const read = readForm(form, path.end) ?? readJoined(path, from, to, rules);
    if (!read) return;
    const allRules = read.rules.length > 0 ? [...rules, ...read.rules] : rules;
    extend(path, from, to, read.end, read.cost + rules.length * costs.rule, allRules);
  }

  /** Without typos, a word can be read in one way only. */
  function readForm(form: string, start: number): WordRead | null {
    let whole: WordRead = { end: start, cost: 0, rules: noRules };
    for (const word of form.split(" ")) {
      const [read] = reader.read(word, whole.end, false);
      if (!read) return null;
      const rules = read.rules.length > 0 ? [...whole.rules, ...read.rules] : whole.rules;
      whole = { end: read.end, cost: whole.cost + read.cost, rules };
    }
    return whole;
  }

  function readJoined(path: Path, from: number, to: number, rules: readonly Rule[]) {
    const isJoined = to > from + 1 && rules.includes("apostrophe");
    return isJoined && forgivesTypos ? reader.readJoined(words.slice(from, to), path.end) : null;
  }

  function extend(
    before: Path,
    from: number,
    to: number,
    end: number,
    added: number,
    rules: readonly Rule[],
    isRun = false,
  ) {
    const cost = before.cost + added;
    if (cost >= costMax) return;
    furthest = Math.max(furthest, to);
    const isMistyped = added >= costs.typo;
    const path: Path = { from, to, start: before.end, end, rules, isMistyped, cost, isRun, before };
    const others = reached[to];
    if (others) keepCheapest(others, path);
    else reached[to] = [path];
  }
}

function keepCheapest(paths: Path[], path: Path) {
  let worst = 0;
  for (const [at, other] of paths.entries()) {
    if (other.end === path.end) {
      if (path.cost < other.cost) paths[at] = path;
      return;
    }
    if (other.cost > (paths[worst]?.cost ?? 0)) worst = at;
  }
  if (paths.length < pathsMax) paths.push(path);
  else if (path.cost < (paths[worst]?.cost ?? 0)) paths[worst] = path;
}

function partsOf(last: Path, words: readonly string[], isSpaced: boolean): MatchedPart[] {
  const parts: MatchedPart[] = [];
  for (let at: Path = last; at.before; at = at.before) {
    const { from, to, start, end, rules, isMistyped } = at;
    const part = { from, to, start, end, rules, isMistyped };
    parts.unshift(...(at.isRun ? wordsOfRun(part, words, isSpaced) : [part]));
  }
  return parts;
}

function wordsOfRun(run: MatchedPart, words: readonly string[], isSpaced: boolean): MatchedPart[] {
  let { start } = run;
  return words.slice(run.from, run.to).map((word, index) => {
    const end = start + (isSpaced ? 1 : word.length);
    const part = { ...run, from: run.from + index, to: run.from + index + 1, start, end };
    start = end;
    return part;
  });
}
