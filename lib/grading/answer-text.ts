import type { CompiledKeys } from "./compiled-keys.js";
import { canonicalKana, hasRomaji, romajiToKana } from "./kana.js";
import { findLanguage, type Language, wordsOf } from "./language.js";
import { normalForm, normalForms } from "./normal-form.js";

/** A learner's text in the form that is compared with keys. */
export interface AnswerText {
  language: Language;
  /** Where words are separated by spaces. */
  tokens: readonly string[];
  /** Where they are not. Japanese: in hiragana, unless the exercise demands a script. */
  text: string;
  isRomaji: boolean;
}

/** More than one where the text can be read in more than one way. Empty when nothing is left of it. */
export function readAnswer(raw: string, { lang, script = "any" }: CompiledKeys): AnswerText[] {
  const language = findLanguage(lang);
  if (language.isSpaced) {
    return normalForms(raw, language.tag)
      .map((form) => wordsOf(form, language))
      .filter((tokens) => tokens.length > 0)
      .map((tokens) => ({ language, tokens, text: tokens.join(" "), isRomaji: false }));
  }
  const form = normalForm(raw, language.tag);
  if (form === "") return [];
  const isKanaRead = language.tag === "ja" && script === "any";
  const written = { language, tokens: [], text: form.replaceAll(" ", ""), isRomaji: false };
  if (!isKanaRead) return [written];
  const kana = { ...written, text: canonicalKana(written.text) };
  if (!hasRomaji(form)) return [kana];
  const text = canonicalKana(romajiToKana(form)).replace(/[ ']/g, "");
  // A key may hold Latin letters: Tシャツ.
  return [kana, { ...written, text, isRomaji: true }];
}
