import { describe, expect, it } from "vitest";
import { expandTemplate } from "../../../lib/grading/template.js";

describe("expandTemplate", () => {
  it.each([
    [
      "[Yo] hablo (mucho|bastante)",
      ["Yo hablo mucho", "Yo hablo bastante", "hablo mucho", "hablo bastante"],
    ],
    ["hola", ["hola"]],
    ["(a [b (c|d)]|e)", ["a b c", "a b d", "a", "e"]],
    ["hablo [mucho].", ["hablo mucho.", "hablo."]],
    ["  hablo   [ mucho ]\tbien ", ["hablo mucho bien", "hablo bien"]],
    ["[a] [b] c", ["a b c", "a c", "b c", "c"]],
    ["(a|a)", ["a"]],
    ["[私 は] 学生 です", ["私 は 学生 です", "学生 です"]],
    ["[私は]学生です", ["私は学生です", "学生です"]],
  ])("expands %s", (template, texts) => {
    expect(expandTemplate(template)).toEqual(texts);
  });

  it.each(["(a|b", "a)", "[a", "a]", "(a]", "a|b", "[]", "(a|)", "()", "[a]", "", " ", "a\0"])(
    "refuses %j and names it",
    (template) => {
      expect(() => expandTemplate(template)).toThrow(`The template "${template}"`);
    },
  );

  it("refuses more than 500 texts without making them", () => {
    expect(expandTemplate("(a|b)".repeat(8))).toHaveLength(256);
    expect(() => expandTemplate("(a|b)".repeat(200))).toThrow("has more than 500 texts");
  });

  it("refuses deep nesting", () => {
    expect(() => expandTemplate(`${"(".repeat(5000)}a${")".repeat(5000)}`)).toThrow(
      "is nested deeper",
    );
  });
});
