import { max, median } from "simple-statistics";
import { describe, expect, inject, it } from "vitest";

describe("the code that a function loads before its first reply", () => {
  const bytes = inject("builtFunctions").map((built) => built.bytes);

  it("is at most 450 KB for the median function", () => {
    expect(median(bytes)).toBeLessThan(450_000);
  });

  it("is at most 650 KB for the largest function", () => {
    expect(max(bytes)).toBeLessThan(650_000);
  });
});
