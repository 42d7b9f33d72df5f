import { describe, expect, it } from "vitest";
import { grade } from "../../../lib/grading/grade.js";
import { compileKeys } from "../../../lib/grading/keys.js";

const cpuMsMax = 20;
const timesMeasured = 12;

/** The least of several times, after which the code is compiled and other processes have left the core. */
function cpuMs(run: () => unknown): number {
  const times = Array.from({ length: timesMeasured }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

/** The same words in each run. */
function wordMaker(letters: string, lengthMin: number) {
  let seed = 7;
  const next = (max: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * max);
  };
  const one = () =>
    Array.from({ length: lengthMin + next(7) }, () => [...letters][next([...letters].length)]).join(
      "",
    );
  return (count: number) => Array.from({ length: count }, one);
}

const spanish = wordMaker("abcdeéfghilmnñopqrstuvwáz", 3);
const japanese = wordMaker("あかさたなはまやらわいきしちにひみりうくすつぬむゆるえけせてね", 2);
const keyCount = 500;
const wordCount = 100;
const keysOf = (words: () => string[]) => Array.from({ length: keyCount }, () => words().join(" "));

const base = spanish(wordCount - 1);
const similar = keysOf(() => [...base, ...spanish(1)]);
const different = keysOf(() => spanish(wordCount));
const mistyped = base.map((word, index) =>
  index % 4 === 0 && word.length > 5 ? `${word[1]}${word[0]}${word.slice(2)}` : word,
);
const japaneseBase = japanese(wordCount - 1);
const japaneseKeys = keysOf(() => [...japaneseBase, ...japanese(1)]);

describe("grading an answer of 1000 characters with 500 keys of 100 words", () => {
  it.each([
    ["es", "keys that differ in the last word", similar, [...base, "otra"].join(" ")],
    ["es", "the same with as many typos as are forgiven", similar, [...mistyped, "otra"].join(" ")],
    ["es", "keys that differ in all words", different, spanish(200).join(" ")],
    ["es", "words in another order", similar, base.toReversed().join(" ")],
    ["es", "one long word", different, "a".repeat(1000)],
    ["es", "500 short words", different, "a ".repeat(500)],
    ["ja", "romaji", japaneseKeys, "konnichiwa ".repeat(90)],
    [
      "ja",
      "keys that differ in all words",
      keysOf(() => japanese(wordCount)),
      japanese(250).join(""),
    ],
  ])(`takes at most ${cpuMsMax} ms of CPU in %s: %s`, (lang, _, keys, answer) => {
    const exercise = { type: "translate", keys: compileKeys(keys, { lang }) } as const;
    const text = answer.slice(0, 1000);
    expect(grade({ text }, exercise)?.verdict).toBe("wrong");
    expect(cpuMs(() => grade({ text }, exercise))).toBeLessThan(cpuMsMax);
  });

  it("takes at most three times that where nearly the whole Japanese answer fits", () => {
    const text = `${japaneseBase.join("")}ん`.slice(0, 1000);
    const exercise = {
      type: "translate",
      keys: compileKeys(japaneseKeys, { lang: "ja" }),
    } as const;
    expect(cpuMs(() => grade({ text }, exercise))).toBeLessThan(3 * cpuMsMax);
  });
});

describe("the normal form", () => {
  const one = compileKeys(["la casa"], { lang: "es" });
  it.each([
    "'",
    "’",
    " ",
    "-",
    "—",
    "«",
    ".",
    ",",
    "1,",
    "1.5",
    "\ue004",
    "\u200b",
    "a'",
    "' ",
    "a\u0301",
    "ｶﾞ",
    "\u309b",
  ])("takes time that grows no faster than the text: %j", (part) => {
    const text = part.repeat(1000).slice(0, 1000);
    expect(cpuMs(() => grade({ text }, { type: "translate", keys: one }))).toBeLessThan(
      cpuMsMax / 4,
    );
    expect(cpuMs(() => compileKeys([`${text}a`], { lang: "es", areLiteral: true }))).toBeLessThan(
      cpuMsMax,
    );
  });

  it("compiles a learner's own word within a millisecond", () => {
    expect(
      cpuMs(() => compileKeys(["el ferrocarril"], { lang: "es", areLiteral: true })),
    ).toBeLessThan(1);
  });
});
