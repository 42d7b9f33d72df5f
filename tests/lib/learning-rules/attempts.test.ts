import { describe, expect, it } from "vitest";
import { type Answer, scoreAttempt } from "../../support/learning-rules/attempts.js";

const answers = (...list: [string, Answer["verdict"]][]): Answer[] =>
  list.map(([exerciseId, verdict]) => ({ exerciseId, verdict }));

describe("the score of an attempt", () => {
  it("counts first tries; accent and typo pay but are not perfect", () => {
    const list = answers(["a", "right"], ["b", "typo"], ["c", "wrong"], ["c", "right"]);
    expect(scoreAttempt(["a", "b", "c"], list, false)).toMatchObject({
      canComplete: true,
      firstTryRights: 2,
      isPerfect: false,
      firstTries: [{ isRight: true }, { isRight: true }, { isRight: false }],
    });
  });

  it("needs every exercise right once or skipped", () => {
    const list = answers(["a", "right"], ["b", "wrong"]);
    expect(scoreAttempt(["a", "b"], list, false).canComplete).toBe(false);
    expect(scoreAttempt(["a", "b", "c"], list, false).canComplete).toBe(false);
  });

  it("pays nothing for a skipped exercise and may still be perfect", () => {
    const list = answers(["a", "right"], ["b", "skipped"]);
    expect(scoreAttempt(["a", "b"], list, false)).toEqual({
      canComplete: true,
      firstTryRights: 1,
      isPerfect: true,
      firstTries: [{ exerciseId: "a", isRight: true }],
    });
  });

  it("is not perfect after the pack was fetched", () => {
    expect(scoreAttempt(["a"], answers(["a", "right"]), true)).toMatchObject({
      firstTryRights: 1,
      isPerfect: false,
    });
  });
});
