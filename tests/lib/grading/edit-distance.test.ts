import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differingLetters, editDistance, lettersOf } from "../../../lib/grading/edit-distance.js";

describe("editDistance", () => {
  it.each([
    ["libro", "libro", 0],
    ["libro", "lbiro", 1],
    ["libro", "lbro", 1],
    ["libro", "librro", 1],
    ["libro", "lidro", 1],
    ["universidad", "univrxesidad", 3],
    ["ca", "abc", 3],
    ["a😀b", "a😁b", 1],
    ["a😀b", "ab😀", 1],
  ])("of %s and %s is %i", (one, other, distance) => {
    expect(editDistance(lettersOf(one), lettersOf(other), 9)).toBe(distance);
  });

  it("is infinite above the maximum", () => {
    expect(editDistance("gato", "perro", 2)).toBe(Number.POSITIVE_INFINITY);
  });

  it("makes no edit that is not allowed", () => {
    const onlyVowels = (one: string, other: string) =>
      editDistance(
        one,
        other,
        9,
        (i, j) => i === null || j === null || "aeiou".includes(one[i] ?? ""),
      );
    expect(onlyVowels("pato", "pito")).toBe(1);
    expect(onlyVowels("pato", "gato")).toBe(2);
  });

  it("is that of the letters between the same beginning and end", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
    fc.assert(
      fc.property(word, word, (one, other) => {
        const [ours, theirs] = differingLetters(one, other);
        expect(editDistance(ours, theirs, 20)).toBe(editDistance(one, other, 20));
      }),
      { numRuns: 2000 },
    );
  });
});
