import { memoizeByObject } from "../memoize-by-object.js";
import { type AnswerText, readAnswer } from "./answer-text.js";
import type { CompiledKey, CompiledKeys } from "./compiled-keys.js";
import { describeMatch, wholeTextRules } from "./describe-match.js";
import {
  type KeyMatch,
  matchKey,
  type PreparedKey,
  prepareKey,
  verdictOfCost,
} from "./key-match.js";
import { findLanguage } from "./language.js";
import { nearestDiff } from "./nearest-diff.js";
import { nearestKeys } from "./nearest-keys.js";
import { normalForm } from "./normal-form.js";
import { noteOf } from "./note.js";
import type { Rule } from "./rule.js";
import type { WordDifference } from "./word-diff.js";
import { type WordReader, wordReader } from "./word-reader.js";

type Verdict = "right" | "typo" | "accent" | "wrong";

export interface Grade {
  verdict: Verdict;
  /** The accepted answer that the answer stands for; null for a wrong one. */
  matched: string | null;
  /** Against the matched key, for a wrong answer against the nearest one. Empty for choices and pairs. */
  diff: WordDifference[];
  /** Every forgiveness that was used; none for a wrong answer. */
  rules: Rule[];
  /** For the learner. */
  note?: string;
}

export interface TextExercise {
  keys: CompiledKeys;
  prompt?: string;
  /** `exact` refuses a word without its marks. Default: `forgiven`. */
  accents?: "forgiven" | "exact";
}

const charactersMax = 1000;
/** Keys that a wrong answer is compared with, and in which typos are looked for where words are not separated. */
const nearestMax = 6;

/** Longer texts are cut, and wrong. */
export function gradeText(text: string, exercise: TextExercise, forgivesTypos: boolean): Grade {
  const { keys, prompt = "", accents } = exercise;
  const raw = text.slice(0, charactersMax);
  const readings = readAnswer(raw, keys);
  const normal = normalForm(raw, keys.lang);
  const isRefused = text.length > charactersMax || isSameText(normal, prompt, keys);
  const prepared = keys.keys.map(prepareKey);
  const options = {
    near: new Set(keys.near),
    forgivesMarks: accents !== "exact",
    language: findLanguage(keys.lang),
  };
  const nearestTo = memoizeByObject((answer: AnswerText) =>
    nearestKeys(answer, prepared, nearestMax),
  );
  let best: BestMatch | null = null;
  for (const answer of isRefused ? [] : readings) {
    const reader = wordReader(answer, options);
    const found = findBest(answer, prepared, nearestTo, reader, forgivesTypos);
    if (found && (!best || found.match.cost < best.match.cost)) best = found;
  }
  if (!best) return wrongText(raw, readings.at(-1), nearestTo, keys);

  const { answer, key, match } = best;
  const parts = describeMatch(raw, key, answer, match.parts);
  const rules = new Set(parts.flatMap((part) => part.rules));
  for (const rule of wholeTextRules(raw, key, answer, match.parts)) rules.add(rule);
  const note = noteOf(parts);
  return {
    verdict: verdictOfCost(match.cost),
    matched: key.text,
    diff: parts.map(({ difference }) => difference),
    rules: [...rules],
    ...(note === null ? {} : { note }),
  };
}

interface BestMatch {
  answer: AnswerText;
  key: CompiledKey;
  match: KeyMatch;
}

function findBest(
  answer: AnswerText,
  keys: readonly PreparedKey[],
  nearestTo: (answer: AnswerText) => PreparedKey[],
  reader: WordReader,
  forgivesTypos: boolean,
): BestMatch | null {
  const { isSpaced } = answer.language;
  const search = (some: readonly PreparedKey[], withTypos: boolean): BestMatch | null => {
    const options = { forgivesTypos: withTypos, isRomaji: answer.isRomaji, isSpaced };
    let best: BestMatch | null = null;
    for (const prepared of some) {
      const match = matchKey(prepared, reader, options);
      if (match && (!best || match.cost < best.match.cost))
        best = { answer, key: prepared.key, match };
      // Nothing is cheaper than an equal key.
      if (match?.cost === 0) break;
    }
    return best;
  };
  if (isSpaced || !forgivesTypos) return search(keys, forgivesTypos);
  return search(keys, false) ?? search(nearestTo(answer), true);
}

function wrongText(
  raw: string,
  answer: AnswerText | undefined,
  nearestTo: (answer: AnswerText) => PreparedKey[],
  keys: CompiledKeys,
): Grade {
  const nothing: AnswerText = {
    language: findLanguage(keys.lang),
    tokens: [],
    text: "",
    isRomaji: false,
  };
  const compared = answer ?? nothing;
  const diff = nearestDiff(raw, compared, nearestTo(compared));
  return { verdict: "wrong", matched: null, diff, rules: [] };
}

function isSameText(normal: string, prompt: string, { lang }: CompiledKeys): boolean {
  if (normal === "") return true;
  const { isSpaced } = findLanguage(lang);
  const [ours, theirs] = [normal, normalForm(prompt, lang)].map((form) =>
    isSpaced ? form : form.replaceAll(" ", ""),
  );
  return ours === theirs;
}
