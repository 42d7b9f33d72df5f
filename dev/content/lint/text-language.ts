import { eld } from "eld/small";
import type { CourseSource } from "../source.js";
import { courseTexts } from "./course-texts.js";
import type { Problem, Rule } from "./problem.js";

/** Of fewer words the detector is often wrong. */
const wordsMin = 3;
/** By so much a language that neither is asked about scores higher in right texts, as Portuguese does in short Spanish ones. */
const lead = 0.1;

/** Texts are in the language of their place. Names are left out: they sound Spanish in English. */
export const textLanguage: Rule = (course) => {
  const { target, native, names } = course.info;
  const withoutNames = (text: string) =>
    names.reduce((rest, name) => rest.replaceAll(name, ""), text);
  const isIn = (text: string, lang: string, other: string) => {
    const rest = withoutNames(text);
    if ((rest.match(/[\p{L}\p{M}']+/gu) ?? []).length < wordsMin) return true;
    const scores = eld.detect(rest).getScores();
    const expected = scores[lang] ?? 0;
    return (
      expected >= (scores[other] ?? 0) && expected + lead >= Math.max(0, ...Object.values(scores))
    );
  };
  return courseTexts(course).flatMap((texts): Problem[] => [
    ...foreign(texts.target, (text) => isIn(text, target, native)).map((text) => ({
      ...texts.place,
      message: `Write "${text}" in ${languageOf(course, "target")}.`,
    })),
    ...foreign(texts.native, (text) => isIn(text, native, target)).map((text) => ({
      ...texts.place,
      message: `Write "${text}" in ${languageOf(course, "native")}.`,
    })),
  ]);
};

const foreign = (texts: readonly string[] = [], isExpected: (text: string) => boolean): string[] =>
  [...new Set(texts)].filter((text) => !isExpected(text));

const languageNames = new Intl.DisplayNames("en", { type: "language" });

const languageOf = ({ info }: CourseSource, side: "target" | "native"): string =>
  languageNames.of(info[side]) ?? info[side];
