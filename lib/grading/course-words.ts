import { differingLetters, editDistance, lettersOf } from "./edit-distance.js";
import { foldWord } from "./folds.js";
import { canonicalKana } from "./kana.js";
import { findLanguage, wordsOf } from "./language.js";
import { typoBudget } from "./typo.js";

/** The words of a course in one language, prepared once for all its keys. */
export interface CourseWords {
  has(word: string): boolean;
  /** Those that are a typo away from the word, folded. */
  near(word: string): readonly string[];
}

export function courseWordsOf(texts: Iterable<string>, lang: string): CourseWords {
  const language = findLanguage(lang);
  const words = new Set(
    [...texts]
      .flatMap((text) => wordsOf(text, language))
      .map((word) => (language.tag === "ja" ? canonicalKana(word) : word)),
  );
  const folded = [...words].map((word) => foldWord(word, language.folds));
  const found = new Map<string, string[]>();
  function nearTo(word: string): string[] {
    const budget = typoBudget(word, language);
    if (budget === 0) return [];
    const own = foldWord(word, language.folds);
    return folded.filter((other) => {
      const [ours, theirs] = differingLetters(own, other);
      const distance = editDistance(lettersOf(ours), lettersOf(theirs), budget);
      return distance > 0 && distance <= budget;
    });
  }
  return {
    has: (word) => words.has(word),
    near(word) {
      const near = found.get(word) ?? nearTo(word);
      found.set(word, near);
      return near;
    },
  };
}
