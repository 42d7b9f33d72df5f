import { toKana } from "wanakana";
import type { MayEdit } from "./edit-distance.js";

/** A macron may be either of two kana, which only the key knows. Private-use characters stand for it. */
const longO = "\ue000";
const longE = "\ue001";
const eitherKana: Record<string, string> = { [longO]: "うお", [longE]: "えい" };

const macrons: Record<string, string> = {
  ā: "aa",
  â: "aa",
  ī: "ii",
  î: "ii",
  ū: "uu",
  û: "uu",
  ē: `e${longE}`,
  ê: `e${longE}`,
  ō: `o${longO}`,
  ô: `o${longO}`,
};
const latinRun = /[a-zāâīîūûēêōô']+/g;
const hasLatin = /[a-zāâīîūûēêōô]/;

const vowelRows: Record<string, string> = {
  あ: "あかさたなはまやらわがざだばぱぁゃゎ",
  い: "いきしちにひみりぎじぢびぴぃ",
  う: "うくすつぬふむゆるぐずづぶぷぅゅゔ",
  え: "えけせてねへめれげぜでべぺぇ",
  お: "おこそとのほもよろをごぞどぼぽぉょ",
};
const vowelOf = new Map(
  Object.entries(vowelRows).flatMap(([vowel, row]) =>
    [...row].map((kana) => [kana, vowel] as const),
  ),
);
/** The vowels that make a kana of each row long. */
const lengtheners: Record<string, string> = {
  あ: "あ",
  い: "い",
  う: "う",
  え: "えい",
  お: "うお",
};
const smallKana = new Set("っゃゅょぁぃぅぇぉゎ");

/** Hiragana for katakana, and the doubled vowel for ー. The length stays. */
export function canonicalKana(text: string): string {
  let kana = "";
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    const isKatakana = code >= 0x30a1 && code <= 0x30f6;
    if (isKatakana) kana += String.fromCodePoint(code - 0x60);
    else if (letter === "ー") kana += vowelOf.get(kana.at(-1) ?? "") ?? letter;
    else kana += letter;
  }
  return kana;
}

export const isKana = (letter: string): boolean =>
  /[\u3041-\u3096\u30a1-\u30fa\u30fc]/.test(letter);

export const hasRomaji = (normalForm: string): boolean => hasLatin.test(normalForm);

/** Kana for the Latin letters of a normal form. Both ou and oo match ō: compare with `kanaAt`. */
export function romajiToKana(normalForm: string): string {
  return normalForm.replace(/[\ue000\ue001]/g, "").replace(latinRun, (run) =>
    toKana(
      run
        // wanakana leaves macrons, m for ん, tch and dz as they are.
        .replace(/[āâīîūûēêōô]/g, (vowel) => macrons[vowel] ?? vowel)
        .replace(/m(?=[bmp])/g, "n")
        .replaceAll("tch", "cch")
        .replaceAll("dzu", "du"),
    ),
  );
}

/** Where `word` ends in `text` when it begins at `start`; -1 when it is not there. */
export function kanaEnd(text: string, word: string, start: number): number {
  if (text.startsWith(word, start)) return start + word.length;
  for (let i = 0; i < word.length; i += 1) {
    const given = text[start + i] ?? "";
    if (given !== word[i] && !eitherKana[given]?.includes(word[i] ?? "")) return -1;
  }
  return start + word.length;
}

/** What romaji may also be read as, beside the kana of the word: づ is written like ず, and んあ like な without an apostrophe. */
export function romajiReadings(word: string): string[] {
  const asHepburn = word.replaceAll("づ", "ず").replaceAll("ぢ", "じ");
  const readings = new Set([asHepburn, withoutApostrophe(word), withoutApostrophe(asHepburn)]);
  readings.delete(word);
  return [...readings];
}

const afterN: Record<string, string> = {
  ...{ あ: "な", い: "に", う: "ぬ", え: "ね", お: "の", や: "にゃ", ゆ: "にゅ", よ: "にょ" },
};
const withoutApostrophe = (word: string): string =>
  word.replace(/ん([あいうえおやゆよ])/g, (_, next: string) => afterN[next] ?? next);

/** Edits of っ, small kana, vowel length and dakuten make another word. */
export function kanaEdits(one: string, other: string): MayEdit {
  const isLength = (word: string, i: number) =>
    lengtheners[vowelOf.get(word[i - 1] ?? "") ?? ""]?.includes(word[i] ?? "") ?? false;
  const isFixed = (word: string, i: number) => smallKana.has(word[i] ?? "") || word[i] === "ー";
  return (i, j) => {
    if (i !== null && (isFixed(one, i) || isLength(one, i))) return false;
    if (j !== null && (isFixed(other, j) || (i === null && isLength(other, j)))) return false;
    return i === null || j === null || withoutDakuten(one[i]) !== withoutDakuten(other[j]);
  };
}

export const withoutDakuten = (letter = ""): string =>
  letter.normalize("NFD").replace(/[\u3099\u309a]/g, "");
