import { describe, expect, it } from "vitest";
import { courseWordsOf } from "../../../lib/grading/course-words.js";
import { compileKeys } from "../../../lib/grading/keys.js";

describe("compileKeys", () => {
  it("makes plain JSON", () => {
    const keys = compileKeys(["I don't know"], { lang: "en" });
    expect(keys).toEqual({
      lang: "en",
      keys: [
        {
          text: "I don't know",
          words: "i don't know",
          edges: [
            [1, 2, "don t", "apostrophe"],
            [1, 2, "dont", "apostrophe"],
            [1, 2, "do not", "contraction"],
          ],
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(keys))).toEqual(keys);
  });

  it("keeps one key of equal ones", () => {
    const { keys } = compileKeys(["Hablo mucho.", "hablo (mucho|MUCHO)"], { lang: "es" });
    expect(keys).toEqual([{ text: "Hablo mucho.", words: "hablo mucho" }]);
  });

  it("has no form without apostrophe that is itself a word", () => {
    const forms = (text: string, courseWords: string[] = []) =>
      compileKeys([text], {
        lang: "en",
        courseWords: courseWordsOf(courseWords, "en"),
      }).keys[0]?.edges?.map(([, , form]) => form);
    expect(forms("it's")).not.toContain("its");
    expect(forms("Anna's")).toContain("annas");
    expect(forms("Anna's", ["annas"])).not.toContain("annas");
  });

  it("accepts no numeral that the prompt holds", () => {
    const edges = (prompt: string) =>
      compileKeys(["dos gatos"], { lang: "es", prompt }).keys[0]?.edges;
    expect(edges("two cats")).toEqual([[0, 1, "2", "numeral"]]);
    expect(edges("2 cats")).toBeUndefined();
    expect(edges("２ cats")).toBeUndefined();
    expect(edges("12 cats")).toEqual([[0, 1, "2", "numeral"]]);
  });

  it("cuts Japanese text at the word boundaries of its reading", () => {
    const [key] = compileKeys(["私は学生です。"], {
      lang: "ja",
      readings: ["わたし は がくせい です"],
    }).keys;
    expect(key?.words).toBe("わたし は がくせい です");
    expect(key?.edges).toEqual([
      [0, 1, "私"],
      [1, 2, "わ", "particle_romaji"],
      [2, 3, "学生"],
    ]);
  });

  it("pairs the texts of a template with those of its reading", () => {
    const { keys } = compileKeys(["[私は](学生|先生)です"], {
      lang: "ja",
      readings: ["[わたし は] (がくせい|せんせい) です"],
    });
    expect(keys.map(({ text, words }) => [text, words])).toEqual([
      ["私は学生です", "わたし は がくせい です"],
      ["私は先生です", "わたし は せんせい です"],
      ["学生です", "がくせい です"],
      ["先生です", "せんせい です"],
    ]);
  });

  it("refuses a reading with other optional parts", () => {
    const compile = () =>
      compileKeys(["[私は]学生(です|だ)"], { lang: "ja", readings: ["[わたし は] がくせい"] });
    expect(compile).toThrow('The reading "[わたし は] がくせい"');
  });

  it("keeps only the words of the course that a typo makes", () => {
    const courseWords = courseWordsOf(["santa", "Sánta", "manta", "casa", "lámpara"], "es");
    expect(compileKeys(["la manta"], { lang: "es", courseWords }).near).toEqual(["santa"]);
  });

  it("takes a learner's own word as it is", () => {
    const { keys } = compileKeys(["perro (m|f) ["], { lang: "es", areLiteral: true });
    expect(keys).toEqual([{ text: "perro (m|f) [", words: "perro mf" }]);
  });

  it("refuses a key without letters", () => {
    expect(() => compileKeys(["¿?"], { lang: "es" })).toThrow('The key "¿?"');
  });
});
