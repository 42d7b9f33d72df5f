import { describe, expect, it } from "vitest";
import { type Exercise, grade, graderVersion } from "../../../lib/grading/grade.js";
import { compileKeys, type KeyOptions } from "../../../lib/grading/keys.js";

type Spoken = "en" | "es" | "fr" | "de" | "it" | "ja" | "hi" | "zh";

const translate = (
  keys: string | string[],
  lang: Spoken,
  options: Partial<KeyOptions> = {},
): Exercise => ({
  type: "translate",
  keys: compileKeys([keys].flat(), { lang, ...options }),
});

const gradeIn = (
  lang: Spoken,
  keys: string | string[],
  text: string,
  options?: Partial<KeyOptions>,
) => grade({ text }, translate(keys, lang, options));

describe("grade", () => {
  it("compares the options of a choice", () => {
    const exercise: Exercise = { type: "multiple_choice", optionId: "b" };
    expect(grade({ optionId: "b" }, exercise)).toEqual({
      verdict: "right",
      matched: null,
      diff: [],
      rules: [],
    });
    expect(grade({ optionId: "a" }, exercise)?.verdict).toBe("wrong");
    expect(grade({ text: "b" }, exercise)?.verdict).toBe("wrong");
  });

  it("accepts pairs only when all fit, in any order", () => {
    const exercise: Exercise = {
      type: "match_pairs",
      pairs: [
        ["1", "a"],
        ["2", "b"],
      ],
    };
    const verdict = (...pairs: [string, string][]) => grade({ pairs }, exercise)?.verdict;
    expect(verdict(["2", "b"], ["1", "a"])).toBe("right");
    expect(verdict(["1", "a"])).toBe("wrong");
    expect(verdict(["1", "b"], ["2", "a"])).toBe("wrong");
    expect(verdict(["1", "a"], ["1", "a"])).toBe("wrong");
    expect(verdict(["1", "a"], ["2", "b"], ["2", "a"])).toBe("wrong");
  });

  it("accepts another tile with the same text, but no typo", () => {
    const tiles = [
      { id: "1", text: "el" },
      { id: "2", text: "perro" },
      { id: "3", text: "y" },
      { id: "4", text: "el" },
      { id: "5", text: "gatto" },
      { id: "6", text: "gato" },
    ];
    const keys = compileKeys(["El perro y el gato"], { lang: "es" });
    const verdict = (...tileIds: string[]) =>
      grade({ tileIds }, { type: "word_order", keys, tiles })?.verdict;
    expect(verdict("1", "2", "3", "4", "6")).toBe("right");
    expect(verdict("4", "2", "3", "1", "6")).toBe("right");
    expect(verdict("1", "2", "3", "4", "5")).toBe("wrong");
    expect(verdict("1", "2", "3", "1", "6")).toBe("wrong");
    expect(verdict("1", "2", "3", "7", "6")).toBe("wrong");
  });

  it("builds Japanese from tiles without spaces", () => {
    const keys = compileKeys(["水を飲みます"], { lang: "ja", readings: ["みず を のみます"] });
    const tiles = ["水", "を", "飲みます"].map((text) => ({ id: text, text }));
    const answer = { tileIds: ["水", "を", "飲みます"] };
    expect(grade(answer, { type: "word_order", keys, tiles })?.verdict).toBe("right");
  });

  it("gives no verdict for a skipped speaking or listening exercise, and skips no other", () => {
    const { keys } = translate("hola", "es") as { keys: ReturnType<typeof compileKeys> };
    expect(grade({ skipped: true }, { type: "listening", keys })).toBeNull();
    expect(grade({ skipped: true }, { type: "speaking", keys })).toBeNull();
    expect(grade({ skipped: true }, { type: "translate", keys })?.verdict).toBe("wrong");
  });

  it("has a version, by which verdicts of another grader are known", () => {
    expect(graderVersion).toBe(1);
  });

  it("names the key that was matched", () => {
    expect(gradeIn("es", ["No.", "¡Claro que sí!"], "claro que si")?.matched).toBe(
      "¡Claro que sí!",
    );
    expect(gradeIn("es", ["No.", "¡Claro que sí!"], "nunca")?.matched).toBeNull();
  });

  it("tries each step on every key before the next", () => {
    expect(gradeIn("es", ["él habla", "el habla"], "el habla")?.verdict).toBe("right");
    expect(gradeIn("es", ["la pizarra", "la pízara"], "la pizara")?.verdict).toBe("accent");
  });

  it("refuses a text of more than 1000 characters", () => {
    const text = "hola ".repeat(200);
    expect(gradeIn("es", text, text)?.verdict).toBe("right");
    expect(gradeIn("es", text, `${text} `)?.verdict).toBe("wrong");
  });

  it("forgives a missing space behind a comma", () => {
    expect(gradeIn("es", "Hola, amigo", "Hola,amigo")).toMatchObject({ verdict: "right" });
    expect(gradeIn("es", "EE. UU.", "EE.UU.")).toMatchObject({ verdict: "right" });
    expect(gradeIn("es", "EEUU", "EE.UU.")).toMatchObject({ verdict: "right" });
  });

  it("keeps the marks within numbers", () => {
    expect(gradeIn("es", "a las 10:30", "a las 10.30")?.verdict).toBe("right");
    expect(gradeIn("es", "a las 10:30", "a las 1030")?.verdict).toBe("wrong");
    expect(gradeIn("es", "1.000 euros", "1000 euros")?.verdict).toBe("right");
    expect(gradeIn("es", "10000 euros", "10001 euros")?.verdict).toBe("wrong");
  });
});

describe("the diff", () => {
  it("shows words as they were written", () => {
    expect(gradeIn("es", "¿Cómo estás, María?", "como estas, María")?.diff).toEqual([
      { op: "changed", expected: "Cómo", given: "como" },
      { op: "changed", expected: "estás", given: "estas" },
      { op: "same", expected: "María", given: "María" },
    ]);
  });

  it("shows missing, extra and other words against the nearest key", () => {
    const keys = ["Me gusta el té", "Yo no como carne en casa"];
    expect(gradeIn("es", keys, "yo como la carne en kasa")?.diff).toEqual([
      { op: "same", expected: "Yo", given: "yo" },
      { op: "missing", expected: "no" },
      { op: "same", expected: "como", given: "como" },
      { op: "extra", given: "la" },
      { op: "same", expected: "carne", given: "carne" },
      { op: "same", expected: "en", given: "en" },
      { op: "changed", expected: "casa", given: "kasa" },
    ]);
  });

  it("keeps contractions and numbers together", () => {
    expect(gradeIn("en", "I don't have two cats", "I do not have 2 cats")?.diff).toEqual([
      { op: "same", expected: "I", given: "I" },
      { op: "same", expected: "don't", given: "do not" },
      { op: "same", expected: "have", given: "have" },
      { op: "same", expected: "two", given: "2" },
      { op: "same", expected: "cats", given: "cats" },
    ]);
  });

  it("gives the characters of a Japanese answer to the words of the key", () => {
    const options = { readings: ["みず を のみます"] };
    expect(gradeIn("ja", "水を飲みます", "水が飲みます", options)?.diff).toEqual([
      { op: "same", expected: "水", given: "水" },
      { op: "changed", expected: "を", given: "が" },
      { op: "same", expected: "飲みます", given: "飲みます" },
    ]);
    expect(gradeIn("ja", "水を飲みます", "mizu nomimasu", options)?.diff).toEqual([
      { op: "same", expected: "みず", given: "みず" },
      { op: "missing", expected: "を" },
      { op: "same", expected: "のみます", given: "のみます" },
    ]);
  });

  it("names everything as missing when the answer is empty", () => {
    expect(gradeIn("es", "la casa", "?!")?.diff).toEqual([
      { op: "missing", expected: "la" },
      { op: "missing", expected: "casa" },
    ]);
  });
});

describe("the note", () => {
  it.each([
    ["es", "él habla", "el habla", "Watch the accent: él."],
    ["es", "Él bebe café", "él bebe cafe", "Watch the accent: café."],
    ["es", "el libro", "el lbiro", "Watch the spelling: libro."],
    [
      "es",
      "El avión es rápido",
      "El avion es rápdio",
      "Watch the spelling: rápido. Watch the accent too: avión.",
    ],
    ["hi", "ज़रूर", "जरूर", "Watch the dots: ज़रूर."],
    ["fr", "l'homme", "lhomme", "Mind the apostrophe: l'homme."],
    ["es", "Hola", "hola!", undefined],
    ["es", "hola", "adiós", undefined],
  ] as const)("in %s for %s, written %s", (lang, key, answer, note) => {
    expect(gradeIn(lang, key, answer)?.note).toBe(note);
  });
});

describe("languages", () => {
  it("are those of the answer, whatever the region", () => {
    expect(
      grade(
        { text: "2 gatos" },
        { type: "translate", keys: compileKeys(["dos gatos"], { lang: "es-MX" }) },
      )?.verdict,
    ).toBe("right");
  });

  it.each([
    ["it", "Dove è il bagno?", "Dov'è il bagno?"],
    ["it", "Dov'è il bagno?", "dove è il bagno"],
    ["it", "Dov'è il bagno?", "dov è il bagno"],
    ["de", "Wie geht es dir?", "Wie geht's dir?"],
    ["de", "Wie geht's dir?", "Wie geht es dir?"],
    ["en", "It is not true", "It isn't true"],
    ["en", "It is not true", "It's not true"],
    ["en", "It is not true", "It isnt true"],
  ] as const)("accept contracted and full forms in %s: %s, written %s", (lang, key, answer) => {
    expect(gradeIn(lang, key, answer)?.verdict).toBe("right");
  });

  it("without data still have the rules of all languages", () => {
    const inSwedish = (key: string, text: string) =>
      grade({ text }, { type: "translate", keys: compileKeys([key], { lang: "sv" }) })?.verdict;
    expect(inSwedish("en förälder", "en forälder")).toBe("accent");
    expect(inSwedish("en förälder", "en förädler")).toBe("typo");
    expect(inSwedish("en förälder", "en mamma")).toBe("wrong");
  });

  it("without spaces forgive no typo in a text that has lost its word boundaries", () => {
    expect(
      gradeIn("zh", "我今天早上在图书馆里看了一本书", "我今天早上在图书馆里看了一本画")?.verdict,
    ).toBe("wrong");
  });

  it("without Latin script keep their marks", () => {
    expect(gradeIn("ja", "がっこう", "かっこう")?.verdict).toBe("wrong");
    expect(gradeIn("ja", "がっこう", "がつこう")?.verdict).toBe("wrong");
  });

  it("read ん before a vowel with and without its apostrophe", () => {
    const options = { readings: ["きんえん"] };
    expect(gradeIn("ja", "禁煙", "kin'en", options)?.verdict).toBe("right");
    expect(gradeIn("ja", "禁煙", "kinen", options)?.verdict).toBe("right");
    expect(gradeIn("ja", "禁煙", "きねん", options)?.verdict).toBe("wrong");
  });

  it("accept a dakuten that is typed by itself", () => {
    expect(gradeIn("ja", "がっこう", "か\u309bっこう")?.verdict).toBe("right");
    expect(gradeIn("ja", "がっこう", "か\uff9eっこう")?.verdict).toBe("right");
  });
});
