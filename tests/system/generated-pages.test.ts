import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generatedPages } from "../../dev/docs/generated-pages.js";

const pages = await generatedPages();

describe("the pages that are made from tables of the code", () => {
  it.each(Object.entries(pages))("%s is as `npm run docs:write` makes it", (path, text) => {
    expect(readFileSync(path, "utf8")).toBe(text);
  });
});
