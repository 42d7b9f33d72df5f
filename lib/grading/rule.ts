/** What a learner was forgiven. */
export type Rule =
  | SurfaceRule
  | MarkRule
  | "contraction"
  | "numeral"
  | "typo"
  | "romaji"
  | "kana"
  | "long_vowel"
  | "particle_romaji";

/** Differences that the normal form removes. */
export type SurfaceRule =
  | "case"
  | "punctuation"
  | "white_space"
  | "hyphen"
  | "apostrophe"
  | "width"
  | "invisible"
  | "normal_form";

/** Marks and letters that a word may be written without. */
export type MarkRule =
  | "accent"
  | "ligature"
  | "eszett"
  | "umlaut_digraph"
  | "apostrophe_accent"
  | "anusvara"
  | "candrabindu"
  | "nukta";
