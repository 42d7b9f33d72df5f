import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grade } from "../../../lib/grading/grade.js";
import { compileKeys } from "../../../lib/grading/keys.js";

const words = {
  es: "¿Cómo estás, María? el año qué café perro niño veintidós corazón dos casa está-bien".split(
    " ",
  ),
  fr: "l'homme aujourd'hui J'aime été cœur garçon quatre-vingts d'abord où Noël château".split(" "),
  de: "Straße Mädchen schön nicht geht's Hund zwölf E-Mail größer Kirsche".split(" "),
  it: "perché c'è l'amica un'ora città po' sette è cappello".split(" "),
  en: "I don't know it's she's twenty-one o'clock café John's house cannot".split(" "),
  ja: "私 は がっこう で コーヒー を 飲みます おばあさん 三時 Tシャツ 東京".split(" "),
  hi: "हिन्दी बोलता चाँद में ज़रूर पाँच किताब नहीं हूँ".split(" "),
  pt: "não coração d'água guarda-chuva vinte e três avó".split(" "),
  zh: "我 是 学生 图书馆".split(" "),
};
type Tag = keyof typeof words;
const tag = fc.constantFrom(...(Object.keys(words) as Tag[]));

/** A text of a language, and other texts that are keys as well. */
const keysOf = tag.chain((lang) => {
  const text = fc
    .array(fc.constantFrom(...words[lang]), { minLength: 1, maxLength: 8 })
    .map((some) => some.join(" "));
  return fc.record({
    lang: fc.constant(lang),
    keys: fc.array(text, { minLength: 1, maxLength: 5 }),
  });
});

/** An answer that is near a key: some of its letters are changed, doubled, swapped or left out. */
const answered = fc
  .tuple(
    keysOf,
    fc.nat(),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom("drop", "double", "swap", "x", " ", "'")), {
      maxLength: 4,
    }),
  )
  .map(([{ lang, keys }, which, edits]) => {
    const letters = [...(keys[which % keys.length] ?? "")];
    for (const [at, edit] of edits) {
      const index = at % Math.max(1, letters.length);
      const letter = letters[index] ?? "";
      if (edit === "drop") letters.splice(index, 1);
      else if (edit === "double") letters.splice(index, 0, letter);
      else if (edit === "swap") letters.splice(index, 2, letters[index + 1] ?? "", letter);
      else letters[index] = edit;
    }
    return { lang, keys, answer: letters.join("") };
  });

const gradeOf = (lang: string, keys: string[], text: string, areLiteral = true) =>
  grade({ text }, { type: "translate", keys: compileKeys(keys, { lang, areLiteral }) });
const verdictOf = (lang: string, keys: string[], text: string) =>
  gradeOf(lang, keys, text)?.verdict;

const runs = { numRuns: 400 };

describe("grade", () => {
  it("is right for each key, with nothing to forgive", () => {
    fc.assert(
      fc.property(keysOf, ({ lang, keys }) => {
        const compiled = compileKeys(keys, { lang, areLiteral: true });
        for (const { text } of compiled.keys) {
          const { verdict, rules, diff } =
            grade({ text }, { type: "fill_blank", keys: compiled }) ?? {};
          expect({ verdict, rules }).toEqual({ verdict: "right", rules: [] });
          expect(diff?.every(({ op }) => op === "same")).toBe(true);
        }
      }),
      runs,
    );
  });

  it("is the same each time, and for keys that were stored", () => {
    fc.assert(
      fc.property(answered, ({ lang, keys, answer }) => {
        const stored = JSON.parse(JSON.stringify(compileKeys(keys, { lang, areLiteral: true })));
        const first = gradeOf(lang, keys, answer);
        expect(gradeOf(lang, keys, answer)).toEqual(first);
        expect(grade({ text: answer }, { type: "translate", keys: stored })).toEqual(first);
      }),
      runs,
    );
  });

  it("has the same verdict for any order of the keys", () => {
    fc.assert(
      fc.property(answered, fc.nat(), ({ lang, keys, answer }, by) => {
        const at = by % keys.length;
        const others = [...keys.slice(at), ...keys.slice(0, at)].reverse();
        expect(verdictOf(lang, others, answer)).toBe(verdictOf(lang, keys, answer));
      }),
      runs,
    );
  });

  it("is never better for doubled white space", () => {
    fc.assert(
      fc.property(answered, ({ lang, keys, answer }) => {
        const doubled = ` ${answer.replaceAll(" ", " \t\u00a0")}\n`;
        expect(verdictOf(lang, keys, doubled)).toBe(verdictOf(lang, keys, answer));
      }),
      runs,
    );
  });

  const invisible = fc.constantFrom(..."\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff");
  it("stays right with invisible characters anywhere", () => {
    fc.assert(
      fc.property(
        keysOf,
        fc.array(fc.tuple(fc.nat(), invisible), { minLength: 1 }),
        ({ lang, keys }, marks) => {
          const letters = [...(keys[0] ?? "").normalize("NFD")];
          for (const [at, mark] of marks) letters.splice(at % (letters.length + 1), 0, mark);
          expect(verdictOf(lang, keys, letters.join(""))).toBe("right");
        },
      ),
      runs,
    );
  });

  it("stays right in any case", () => {
    fc.assert(
      fc.property(keysOf, fc.array(fc.boolean(), { minLength: 1 }), ({ lang, keys }, flips) => {
        const letters = [...(keys[0] ?? "")].map((letter, index) => {
          const upper = letter.toUpperCase();
          // SS is not ß.
          const comesBack = upper.toLowerCase() === letter.toLowerCase();
          return flips[index % flips.length] && comesBack ? upper : letter;
        });
        expect(verdictOf(lang, keys, letters.join(""))).toBe("right");
      }),
      runs,
    );
  });

  it("stays right with any apostrophe, or a space for it", () => {
    const form = fc.constantFrom("’", "‘", "ʼ", "`", "´", "′", "＇", " ");
    fc.assert(
      fc.property(keysOf, form, ({ lang, keys }, apostrophe) => {
        const text = (keys[0] ?? "").replaceAll("'", apostrophe);
        expect(verdictOf(lang, keys, text)).toBe("right");
      }),
      runs,
    );
  });

  it("stays right with punctuation beside its words", () => {
    const mark = fc.constantFrom(..."¡!¿?.,;:…«»“”()„。、！？।", " — ");
    fc.assert(
      fc.property(keysOf, fc.array(mark, { minLength: 1 }), ({ lang, keys }, marks) => {
        const parts = (keys[0] ?? "").split(" ");
        const text = parts.map((word, index) => {
          const [before, after] = [marks[index % marks.length], marks[(index + 1) % marks.length]];
          return `${before}${word}${after}`;
        });
        expect(verdictOf(lang, keys, text.join(" "))).toBe("right");
      }),
      runs,
    );
  });

  it("takes any text", () => {
    fc.assert(
      fc.property(keysOf, fc.string({ unit: "binary", maxLength: 60 }), ({ lang, keys }, text) => {
        const { verdict, rules, diff } = gradeOf(lang, keys, text) ?? {};
        expect(["right", "typo", "accent", "wrong"]).toContain(verdict);
        if (verdict === "wrong") expect(rules).toEqual([]);
        expect(diff?.length).toBeGreaterThan(0);
      }),
      runs,
    );
  });
});
