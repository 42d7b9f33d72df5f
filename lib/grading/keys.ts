import { contractionEdges, joinedEdges, numeralEdges } from "./alternatives.js";
import { type CompiledKey, type CompiledKeys, type Script, withEdges } from "./compiled-keys.js";
import type { CourseWords } from "./course-words.js";
import { japaneseKey } from "./japanese-key.js";
import { findLanguage, type Language, wordsOf } from "./language.js";
import { normalForm } from "./normal-form.js";
import { expandTemplate } from "./template.js";

export interface KeyOptions {
  /** BCP 47, of the answer. */
  lang: string;
  /** A numeral in it is not accepted for its number word. */
  prompt?: string;
  /** Japanese: the kana of each template, words separated by spaces; a template as well. */
  readings?: readonly string[];
  script?: Script;
  /** Other words of the course: a typo that makes one of them is not forgiven. */
  courseWords?: CourseWords;
  /** Whether brackets in the keys are plain text, as in a learner's own word. */
  areLiteral?: boolean;
}

/** Throws for a malformed template, more than 500 texts of one, and a key without letters. */
export function compileKeys(templates: readonly string[], options: KeyOptions): CompiledKeys {
  const language = findLanguage(options.lang);
  const { script = "any", readings = [], courseWords } = options;
  const expand = options.areLiteral ? (text: string) => [text] : expandTemplate;
  const isWord = (word: string) =>
    language.wordsWithoutApostrophe.has(word) ||
    language.functionWords.has(word) ||
    courseWords?.has(word) === true;
  const heldNumerals = new Set(normalForm(options.prompt ?? "", options.lang).match(/[\d.]+/g));
  const accepts = { isWord, heldNumerals };

  const keys = new Map<string, CompiledKey>();
  for (const [index, template] of templates.entries()) {
    const texts = expand(template);
    const texted =
      language.tag === "ja"
        ? pairReadings(texts, readings[index], expand).map(([text, reading]) =>
            japaneseKey(text, reading, script, language, heldNumerals),
          )
        : texts.map((text) => plainKey(text, language, accepts));
    for (const key of texted) {
      if (key.words === "")
        throw new Error(`The key "${key.text}" of "${template}" has no letters.`);
      const id = JSON.stringify([key.words, key.edges]);
      if (!keys.has(id)) keys.set(id, key);
    }
  }
  const compiled: CompiledKeys = { lang: language.tag, keys: [...keys.values()] };
  if (language.tag === "ja" && script !== "any") compiled.script = script;
  const words = new Set(compiled.keys.flatMap((key) => key.words.split(" ")));
  const near = [...new Set([...words].flatMap((word) => courseWords?.near(word) ?? []))].sort();
  if (near.length > 0) compiled.near = near;
  return compiled;
}

interface Accepted {
  isWord(word: string): boolean;
  heldNumerals: ReadonlySet<string>;
}

function plainKey(
  text: string,
  language: Language,
  { isWord, heldNumerals }: Accepted,
): CompiledKey {
  const tokens = normalForm(text, language.tag).split(" ");
  const words = wordsOf(text, language);
  const edges = language.isSpaced
    ? [
        ...joinedEdges(tokens, language, isWord),
        ...contractionEdges(words, language, isWord),
        ...numeralEdges(words, language, heldNumerals),
      ]
    : [];
  const shown = language.isSpaced ? text : text.replaceAll(" ", "");
  return withEdges({ text: shown, words: words.join(" ") }, edges);
}

/** A template and its reading have the same optional parts, so that their texts have the same order. */
function pairReadings(
  texts: readonly string[],
  readingTemplate: string | undefined,
  expand: (template: string) => string[],
): [string, string | undefined][] {
  if (readingTemplate === undefined) return texts.map((text) => [text, undefined]);
  const readings = expand(readingTemplate);
  if (readings.length === texts.length) return texts.map((text, index) => [text, readings[index]]);
  if (readings.length === 1 || texts.length === 1) {
    return texts.flatMap((text) => readings.map((reading): [string, string] => [text, reading]));
  }
  throw new Error(`The reading "${readingTemplate}" has other optional parts than its template.`);
}
