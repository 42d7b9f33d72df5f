import { type AnswerText, readAnswer } from "./answer-text.js";
import type { CompiledKey, CompiledKeys } from "./compiled-keys.js";
import { describeMatch, wholeTextRules } from "./describe-match.js";
import { type KeyMatch, keyMatcher, verdictOfCost } from "./key-match.js";
import { findLanguage } from "./language.js";
import { nearestKey } from "./nearest-key.js";
import { normalForm } from "./normal-form.js";
import { noteOf } from "./note.js";
import type { Rule } from "./rule.js";
import type { WordDifference } from "./word-diff.js";

export type Verdict = "right" | "typo" | "accent" | "wrong";

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

/** Longer texts are cut, and wrong. */
export function gradeText(text: string, exercise: TextExercise, forgivesTypos: boolean): Grade {
  const { keys, prompt = "", accents } = exercise;
  const raw = text.slice(0, charactersMax);
  const readings = readAnswer(raw, keys);
  const normal = normalForm(raw, keys.lang);
  const isRefused = text.length > charactersMax || isSameText(normal, prompt, keys);
  const options = {
    near: new Set(keys.near),
    forgivesMarks: accents !== "exact",
    forgivesTypos,
    language: findLanguage(keys.lang),
  };

  let best: { answer: AnswerText; key: CompiledKey; match: KeyMatch } | undefined;
  for (const answer of isRefused ? [] : readings) {
    const match = keyMatcher(answer, options);
    for (const key of keys.keys) {
      const found = match(key);
      if (found && found.cost < (best?.match.cost ?? Number.POSITIVE_INFINITY)) {
        best = { answer, key, match: found };
      }
      // Nothing is cheaper than an equal key.
      if (found?.cost === 0) break;
    }
  }
  if (!best) return wrongText(raw, readings.at(-1), keys);

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

function wrongText(raw: string, answer: AnswerText | undefined, keys: CompiledKeys): Grade {
  const nothing: AnswerText = {
    language: findLanguage(keys.lang),
    tokens: [],
    text: "",
    isRomaji: false,
  };
  const nearest = nearestKey(raw, answer ?? nothing, keys.keys);
  return { verdict: "wrong", matched: null, diff: nearest?.diff ?? [], rules: [] };
}

function isSameText(normal: string, prompt: string, { lang }: CompiledKeys): boolean {
  if (normal === "") return true;
  const { isSpaced } = findLanguage(lang);
  const [ours, theirs] = [normal, normalForm(prompt, lang)].map((form) =>
    isSpaced ? form : form.replaceAll(" ", ""),
  );
  return ours === theirs;
}
