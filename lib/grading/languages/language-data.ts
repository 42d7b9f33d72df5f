/** What grading knows about one language. Lists are separated by spaces, groups of words by commas. */
export interface LanguageData {
  tag: string;
  /** False where words are written without spaces between them. Default: true. */
  isSpaced?: boolean;
  /** Whether `l'homme` is two words; `don't` is one. Default: false. */
  splitsAtApostrophe?: boolean;
  /** Whether `ae`, `oe` and `ue` may be written for `ä`, `ö` and `ü`. Default: false. */
  hasUmlauts?: boolean;
  /** Words in which no typo is forgiven, by the part of speech. */
  functionWords?: Record<string, string>;
  /** `form: expansion / expansion`. Each is accepted for the other. */
  contractions?: string;
  /** Words that an elided or contracted form becomes without its apostrophe: `its`, `luna`. */
  wordsWithoutApostrophe?: string;
  /** Japanese: words whose final は is pronounced `wa`. */
  wordsInFinalHa?: string;
  /** Words of which one is never a typo of the other. */
  realWordPairs?: string;
  /** Endings that one stem may have, `-` for none: another ending is another form, never a typo. */
  endings?: string;
  /** Words that a spelling dictionary cannot tell apart, `_` for a space. Content confirms them where they are used. */
  spellerPairs?: string;
  /** Words that differ only by an edit that is never a typo: distractors for content. */
  contrastPairs?: string;
  /** Number words from 0, ` / ` between those of one number, the usual one first. */
  numbers?: string;
}
