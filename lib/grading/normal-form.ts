/** U+00AD, U+200B–U+200F, U+2060, U+FEFF. Combining marks and variation selectors stay. */
export const invisibleCharacters = /[\u00ad\u200b-\u200f\u2060\ufeff]/g;
/** Full-width and half-width forms. */
export const widthForms = /[\uff01-\uffee]+/g;
export const apostrophes = /[‘’‛ʹʻʼʽˈ`´′ꞌ]/g;
export const quotesAtEdges = /(?<![\p{L}\p{M}\p{N}])'|'(?![\p{L}\p{N}])/gu;
/** U+2212 is the minus sign. */
const hyphens = /[\p{Pd}\u2212]/gu;
/** `|` is a symbol in Unicode. */
export const punctuation = /(?!')[\p{P}|]/gu;
const punctuationWithin = /(?<=[\p{L}\p{M}])(?!')[\p{P}|](?=\p{L})/gu;
/** `1,000`, `1.000`; and any mark between other digits: `1,5`, `10:30`. */
const thousands = /(?<=\d)[.,](?=\d{3}(?!\d))/g;
const markInNumber = /(?<=\d)(?!')\p{Po}(?=\d)/gu;
const numberMark = "\ue005";
const devanagariDigits = /[\u0966-\u096f]/g;

/**
 * Lower case, NFC, without punctuation and invisible characters; one space between words. Apostrophes within words are `'`.
 * A mark between digits is a point: 1.5 is not 15. Empty when nothing is left. `ー` is a letter and stays.
 */
export function normalForm(text: string, languageTag: string): string {
  const composed = composedForm(text).toLocaleLowerCase(languageTag).normalize("NFC");
  return composed
    .replace(apostrophes, "'")
    .replace(quotesAtEdges, "")
    .replace(hyphens, " ")
    .replace(thousands, "")
    .replace(markInNumber, numberMark)
    .replace(punctuation, "")
    .replaceAll(numberMark, ".")
    .replace(devanagariDigits, (digit) => String((digit.codePointAt(0) ?? 0) - 0x966))
    .replace(/[\s\u0085]+/g, " ")
    .trim();
}

/** Also the reading of `Hola,amigo` as two words. The punctuation is out in the first form, a space in the second. */
export function normalForms(text: string, languageTag: string): string[] {
  const first = normalForm(text, languageTag);
  const spaced = composedForm(text)
    .replace(apostrophes, "'")
    .replace(hyphens, " ")
    .replace(punctuationWithin, " ");
  const second = normalForm(spaced, languageTag);
  return first === second ? [first] : [first, second];
}

/** NFC, and NFKC for full-width and half-width forms. The spacing marks of kana become combining ones. */
export const composedForm = (text: string): string =>
  text
    .replace(invisibleCharacters, "")
    .replace(widthForms, (run) => run.normalize("NFKC"))
    .replace(/ ?\u309b/g, "\u3099")
    .replace(/ ?\u309c/g, "\u309a")
    .normalize("NFC");
