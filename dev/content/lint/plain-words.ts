import { foldWord } from "../../../lib/grading/folds.js";
import { findLanguage, wordsOf } from "../../../lib/grading/language.js";

/** Lower case, without punctuation. */
export const plainWords = (text: string, lang: string): string[] =>
  wordsOf(text, findLanguage(lang));

export const plainText = (text: string, lang: string): string => plainWords(text, lang).join(" ");

/** Without marks as well. */
export const foldedText = (text: string, lang: string): string => {
  const { folds } = findLanguage(lang);
  return plainWords(text, lang)
    .map((word) => foldWord(word, folds))
    .join(" ");
};
