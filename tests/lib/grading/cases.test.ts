import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Script } from "../../../lib/grading/compiled-keys.js";
import { courseWordsOf } from "../../../lib/grading/course-words.js";
import { grade } from "../../../lib/grading/grade.js";
import { compileKeys } from "../../../lib/grading/keys.js";

interface Case {
  lang: string;
  type: "translate" | "typing" | "listening" | "fill_blank";
  prompt?: string;
  keys: string[];
  reading?: string | string[];
  script?: Script;
  accents?: "exact";
  courseWords?: string[];
  answer: string;
  verdict: string;
  rules: string[];
  refused?: string;
  why: string;
}

const { cases, rules: ruleNames } = parse(
  readFileSync(new URL("cases.yaml", import.meta.url), "utf8"),
) as { cases: Case[]; rules: Record<string, string> };

describe.each([...new Set(cases.map(({ lang }) => lang))])("grade in %s", (tag) => {
  const ofLanguage = cases.filter(({ lang }) => lang === tag);
  it.each(
    ofLanguage.map((one) => ({
      ...one,
      title: `${one.answer} for ${one.keys.join(" / ")}: ${one.why}`,
    })),
  )(
    "$verdict: $title",
    ({
      lang,
      type,
      prompt,
      keys,
      reading,
      script,
      accents,
      courseWords,
      answer,
      verdict,
      rules,
    }) => {
      const compiled = compileKeys(keys, {
        lang,
        ...(prompt !== undefined && { prompt }),
        ...(reading !== undefined && { readings: [reading].flat() }),
        ...(script && { script }),
        ...(courseWords && { courseWords: courseWordsOf(courseWords, lang) }),
      });
      const result = grade(
        { text: answer },
        {
          type,
          keys: compiled,
          ...(prompt !== undefined && { prompt }),
          ...(accents && { accents }),
        },
      );
      expect({ verdict: result?.verdict, rules: result?.rules.toSorted() }).toEqual({
        verdict,
        rules: rules.toSorted(),
      });
    },
  );
});

it("names only rules of the list", () => {
  const known = new Set(Object.keys(ruleNames));
  expect(cases.flatMap(({ rules }) => rules).filter((rule) => !known.has(rule))).toEqual([]);
});
