import { type CompiledKey, type KeyEdge, type Script, withEdges } from "./compiled-keys.js";
import { canonicalKana, isKana, romajiReadings } from "./kana.js";
import type { Language } from "./language.js";
import { normalForm } from "./normal-form.js";

/** Pronounced otherwise than written, and in romaji written either way. */
const particles: Record<string, string> = { は: "わ", へ: "え", を: "お" };
const kanjiNumber = /[〇零一二三四五六七八九十百]+/g;

/** The words are those of the reading, as it has the word boundaries; the written text is accepted in their place. */
export function japaneseKey(
  text: string,
  reading: string | undefined,
  script: Script,
  language: Language,
  heldNumerals: ReadonlySet<string>,
): CompiledKey {
  const shown = text.replaceAll(" ", "");
  const written = normalForm(text, language.tag);
  const read = reading === undefined ? undefined : normalForm(reading, language.tag);
  if (script === "kanji") return { text: shown, words: written };
  if (script === "kana") return { text: shown, words: read ?? written };

  const words = canonicalKana(read ?? written).split(" ");
  const pieces =
    read === undefined
      ? words.map((word, index): KeyEdge => [index, index + 1, word])
      : writtenPieces(written.replaceAll(" ", ""), words);
  const edges = [
    ...pieces.filter(([from, to, piece]) => piece !== words.slice(from, to).join("")),
    ...pieces.flatMap((piece) => numeralPieces(piece, language, heldNumerals)),
    ...words.flatMap((word, index) => romajiEdges(word, index, language)),
  ];
  return withEdges({ text: shown, words: words.join(" ") }, edges);
}

/**
 * The written text cut at the word boundaries of its reading. Kana stand for themselves, a run of other letters for one kana
 * or more. If the reading does not fit the text, the text is one piece.
 */
function writtenPieces(written: string, words: readonly string[]): KeyEdge[] {
  const text = canonicalKana(written);
  const kana = words.join("");
  const boundaries = new Map<number, number>();
  let length = 0;
  for (const [index, word] of words.entries()) {
    length += word.length;
    boundaries.set(length, index + 1);
  }
  const whole: KeyEdge[] = [[0, words.length, text]];
  const cuts = alignReading(text, kana);
  if (!cuts) return whole;

  const pieces: KeyEdge[] = [];
  let [fromText, fromWord] = [0, 0];
  for (const [textEnd, kanaEnd] of cuts) {
    const toWord = boundaries.get(kanaEnd);
    if (toWord === undefined) continue;
    pieces.push([fromWord, toWord, text.slice(fromText, textEnd)]);
    [fromText, fromWord] = [textEnd, toWord];
  }
  return pieces;
}

/** Pairs of ends, of a part of the text and of its kana. Each pair of positions is tried once. */
function alignReading(text: string, kana: string): [number, number][] | null {
  const failed = new Set<number>();
  const align = (at: number, kanaAt: number): [number, number][] | null => {
    if (at === text.length) return kanaAt === kana.length ? [] : null;
    const id = at * (kana.length + 1) + kanaAt;
    if (failed.has(id)) return null;
    failed.add(id);
    if (isKana(text[at] ?? "")) {
      const rest = text[at] === kana[kanaAt] ? align(at + 1, kanaAt + 1) : null;
      return rest && [[at + 1, kanaAt + 1], ...rest];
    }
    let end = at + 1;
    while (end < text.length && !isKana(text[end] ?? "")) end += 1;
    for (let kanaEnd = kanaAt + 1; kanaEnd <= kana.length; kanaEnd += 1) {
      const rest = align(end, kanaEnd);
      if (rest) return [[end, kanaEnd], ...rest];
    }
    return null;
  };
  return align(0, 0);
}

function numeralPieces(
  [from, to, piece]: KeyEdge,
  language: Language,
  heldNumerals: ReadonlySet<string>,
): KeyEdge[] {
  const forms = new Set<string>();
  const numeral = (word: string) => {
    const number = language.numbers.get(word);
    return number === undefined || heldNumerals.has(String(number)) ? word : String(number);
  };
  forms.add(piece.replace(kanjiNumber, numeral));
  if (!language.functionWords.has(piece)) forms.add(numeral(piece));
  forms.add(
    piece.replace(/\d+/g, (digits) =>
      heldNumerals.has(digits) ? digits : (language.numberWords[Number(digits)]?.[0] ?? digits),
    ),
  );
  forms.delete(piece);
  return [...forms].map((form) => [from, to, form, "numeral"]);
}

function romajiEdges(word: string, index: number, language: Language): KeyEdge[] {
  const edges = romajiReadings(word).map((form): KeyEdge => [index, index + 1, form, "romaji"]);
  const particle = particles[word];
  const spoken = language.wordsInFinalHa.has(word) ? word.replace(/は$/, "わ") : particle;
  if (spoken) edges.push([index, index + 1, spoken, "particle_romaji"]);
  return edges;
}
