import { loadModule } from "hunspell-asm";

/** Whether a dictionary knows a word. Case counts: it knows `Madrid`, and `Casa` at the start of a sentence. */
export type Knows = (word: string) => boolean;
/** By language. */
export type Dictionaries = ReadonlyMap<string, Knows>;

const sources: Record<string, () => Promise<{ default: { aff: Uint8Array; dic: Uint8Array } }>> = {
  es: () => import("dictionary-es"),
  en: () => import("dictionary-en"),
};

/** Languages without a dictionary are missing from the result. */
export async function openDictionaries(languages: readonly string[]): Promise<Dictionaries> {
  const opened = await Promise.all(
    languages.map(async (language) => [language, await openDictionary(language)] as const),
  );
  return new Map(opened.flatMap(([language, knows]) => (knows ? [[language, knows]] : [])));
}

/** Opening takes longer than checking a course. */
const remembered = new Map<string, Promise<Knows | undefined>>();

function openDictionary(language: string): Promise<Knows | undefined> {
  const opened = remembered.get(language) ?? load(language);
  remembered.set(language, opened);
  return opened;
}

async function load(language: string): Promise<Knows | undefined> {
  const source = await sources[language]?.();
  if (!source) return undefined;
  const { aff, dic } = source.default;
  const hunspell = await loadModule();
  const dictionary = hunspell.create(
    hunspell.mountBuffer(aff, `${language}.aff`),
    hunspell.mountBuffer(dic, `${language}.dic`),
  );
  return (word) => dictionary.spell(word);
}
