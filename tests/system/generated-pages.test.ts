import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generatedPages } from "../../dev/docs/generated-pages.js";

const pages = await generatedPages();

describe("the generated documentation pages", () => {
  it.each(Object.entries(pages))("%s equals the output of `npm run docs:write`", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});
