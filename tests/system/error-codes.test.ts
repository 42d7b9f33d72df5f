import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { catalogue } from "../../lib/errors.js";
import { sourceFiles } from "../support/source-files.js";

describe("the error catalogue", () => {
  const code = sourceFiles("lib", "api")
    .filter((file) => file !== "lib/errors.ts")
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");

  it("contains no unused code", () => {
    expect(Object.keys(catalogue).filter((name) => !code.includes(`"${name}"`))).toEqual([]);
  });
});
