import { describe, expect, it } from "vitest";
import { scoreOf, verdicts } from "../../../lib/learning/score.js";
import { lessonXp, standingOf } from "../../../lib/learning/xp.js";
import { scoreAttempt } from "../../support/learning-rules/attempts.js";
import { facts, lesson } from "../../support/learning-rules/build.js";
import { ledgerOf, standingOf as standingByRules } from "../../support/learning-rules/xp.js";

/** The same sequence in each run. */
function randomNumbers(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

describe("the score of an attempt", () => {
  it("agrees with the rules for 500 random attempts", () => {
    const random = randomNumbers(7);
    for (let round = 0; round < 500; round += 1) {
      const ids = Array.from({ length: 1 + random(6) }, (_, index) => `e${index}`);
      const tries = new Map<string, number>();
      const answers = Array.from({ length: random(14) }, () => {
        const exerciseId = ids[random(ids.length)] ?? "";
        const tryNumber = (tries.get(exerciseId) ?? 0) + 1;
        tries.set(exerciseId, tryNumber);
        return { exerciseId, tryNumber, verdict: verdicts[random(verdicts.length)] ?? "wrong" };
      });
      const score = scoreOf(ids, answers);
      const expected = scoreAttempt(ids, answers, false);
      expect(score.remaining.length === 0).toBe(expected.canComplete);
      expect(score.firstTryRights).toBe(expected.firstTryRights);
      expect(score.isPerfect).toBe(expected.isPerfect);
    }
  });
});

describe("the points of completions", () => {
  it("agree with the rules for 300 random histories", () => {
    const random = randomNumbers(11);
    for (let round = 0; round < 300; round += 1) {
      const done = new Set<string>();
      const history = Array.from({ length: 1 + random(8) }, (_, index) => ({
        attemptId: `attempt-${index}`,
        lessonId: `lesson-${random(3)}`,
        firstTryRights: random(21),
        xpReward: 15 + random(26),
        perfectBonus: 8 + random(13),
        isPerfect: random(2) === 1,
      }));
      const paid = history.flatMap((completion) => {
        const isFirst = !done.has(completion.lessonId);
        done.add(completion.lessonId);
        return lessonXp({ ...completion, isFirst });
      });
      const completions = history.map((each, index) => lesson("2026-05-04", index, each));
      const kinds = ["lesson_first", "perfect", "answers", "lesson_repeat"];
      const expected = ledgerOf(facts({ completions }))
        .filter(({ kind }) => kinds.includes(kind))
        .map(({ kind, fact, xp }) => ({ kind, fact, xp }));
      expect(paid).toEqual(expected);
    }
  });

  it("give the level and league of the rules at each border", () => {
    for (const border of [0, 500, 501, 999, 1000, 1500, 1501, 3000, 3001, 6000, 6001, 12_345]) {
      const row = { kind: "chat", fact: "x", xp: border, date: "2026-05-04" } as const;
      expect(standingOf(border)).toEqual(standingByRules([row]));
    }
  });
});
