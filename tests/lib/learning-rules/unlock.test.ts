import { describe, expect, it } from "vitest";
import { defined } from "../../support/learning-rules/build.js";
import {
  type PlacementAnswer,
  placementOf,
  resultUnit,
  testedOutLessons,
} from "../../support/learning-rules/placement.js";
import {
  type RecommendationInput,
  recommendationsFor,
} from "../../support/learning-rules/recommendations.js";
import {
  type Lesson,
  packLessons,
  startRefusal,
  unlockedLessons,
} from "../../support/learning-rules/unlock.js";

const nothingDone = { completed: [], testedOut: [], unlockedBefore: [] };

/** Four units of two lessons: a1, a2, b1, … d2. */
const lessons: Lesson[] = ["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"].map((lessonId, n) => ({
  lessonId,
  unit: Math.floor(n / 2) + 1,
  category: n % 2 === 0 ? "vocabulary" : "grammar",
}));

describe("unlocking", () => {
  it("unlocks the first lesson, then the one after each completed or tested-out lesson", () => {
    expect(unlockedLessons(lessons, nothingDone)).toEqual(["a1"]);
    expect(unlockedLessons(lessons, { ...nothingDone, completed: ["a1"] })).toEqual(["a1", "a2"]);
    const testedOut = ["a1", "a2", "b1", "b2"];
    expect(unlockedLessons(lessons, { ...nothingDone, testedOut })).toEqual([...testedOut, "c1"]);
  });

  it("needs every prerequisite that a lesson names", () => {
    const named = lessons.map((lesson) =>
      lesson.lessonId === "d1" ? { ...lesson, prerequisites: ["a1", "a2"] } : lesson,
    );
    expect(unlockedLessons(named, { ...nothingDone, completed: ["a1"] })).not.toContain("d1");
    expect(unlockedLessons(named, { ...nothingDone, completed: ["a2", "a1"] })).toContain("d1");
  });

  it("never locks a lesson again", () => {
    expect(unlockedLessons(lessons, { ...nothingDone, unlockedBefore: ["c2"] })).toEqual([
      "a1",
      "c2",
    ]);
  });

  it("answers premium before locked, and neither with a pack of up to 30 days", () => {
    const [a2, b1] = [defined(lessons[1]), defined(lessons[2])];
    expect(startRefusal(b1, false, ["a1"], null)).toBe("premium_required");
    expect(startRefusal(b1, true, ["a1"], null)).toBe("lesson_locked");
    expect(startRefusal(a2, false, ["a1"], null)).toBe("lesson_locked");
    expect(startRefusal(a2, false, ["a1", "a2"], null)).toBe(null);
    expect(startRefusal(b1, false, ["a1"], 30)).toBe(null);
    expect(startRefusal(b1, false, ["a1"], 30.01)).toBe("premium_required");
  });

  it("packs the lesson and the next five that the plan allows", () => {
    expect(packLessons(lessons, "a1", true)).toEqual(["a1", "a2", "b1", "b2", "c1", "c2"]);
    expect(packLessons(lessons, "a1", false)).toEqual(["a1", "a2"]);
  });
});

describe("placement", () => {
  /** Plays "R" and "W" against the staircase; returns the units asked and the last state. */
  const play = (unitCount: number, script: string) => {
    const answers: PlacementAnswer[] = [];
    for (const letter of script) {
      const { status, unit } = placementOf(unitCount, answers);
      if (status === "finished") throw new Error("The placement ended early.");
      answers.push({ unit, isRight: letter === "R" });
    }
    return { asked: answers.map(({ unit }) => unit).join(""), ...placementOf(unitCount, answers) };
  };

  it("begins in unit 2", () => {
    expect(play(4, "")).toMatchObject({ status: "asking", unit: 2 });
    expect(play(1, "")).toMatchObject({ status: "asking", unit: 1 });
  });

  it("goes up after two right in a row and down after one wrong", () => {
    expect(play(4, "R")).toMatchObject({ unit: 2 });
    expect(play(4, "RR")).toMatchObject({ unit: 3, reversals: 0 });
    expect(play(4, "W")).toMatchObject({ unit: 1, reversals: 0 });
    expect(play(4, "RWR")).toMatchObject({ asked: "221", unit: 1 });
  });

  it("ends at three reversals", () => {
    // Up to 3, wrong → 2 (one), two right → 3 (two), wrong → 2 (three).
    // Unit 2 has 4 answers, all right; unit 3 has 2 answers, none right.
    expect(play(4, "RRWRRW")).toEqual({
      asked: "223223",
      status: "finished",
      unit: 2,
      reversals: 3,
    });
  });

  it("ends at 15 answers: all right places in the last unit", () => {
    expect(play(4, "R".repeat(14))).toMatchObject({ status: "asking", unit: 4 });
    expect(play(4, "R".repeat(15))).toMatchObject({
      asked: "223344444444444",
      status: "finished",
      unit: 4,
    });
  });

  it("places in unit 1 after 15 wrong answers", () => {
    expect(play(4, "W".repeat(15))).toMatchObject({ status: "finished", unit: 1, reversals: 0 });
  });

  it("takes the highest unit with three answers and two thirds right", () => {
    const answers = (unit: number, letters: string) =>
      [...letters].map((letter) => ({ unit, isRight: letter === "R" }));
    const tooFew = answers(4, "RR");
    expect(resultUnit(4, [...answers(2, "RRR"), ...answers(3, "RRW"), ...tooFew])).toBe(3);
    expect(resultUnit(4, [...answers(2, "RRR"), ...answers(3, "RRWW")])).toBe(2);
    expect(resultUnit(4, [...answers(2, "RR"), ...answers(1, "WWW")])).toBe(1);
  });

  it("tests out the lessons of earlier units", () => {
    expect(testedOutLessons(lessons, 3)).toEqual(["a1", "a2", "b1", "b2"]);
    expect(testedOutLessons(lessons, 1)).toEqual([]);
  });
});

describe("recommendations", () => {
  const tries = (lessonId: string, rights: number, wrongs: number, from: number) =>
    [...Array(rights + wrongs).keys()].map((n) => ({
      lessonId,
      receiptOrder: from + n,
      isRight: n < rights,
    }));
  const input: RecommendationInput = {
    lessons,
    progress: { ...nothingDone, completed: ["a1", "a2"] },
    isPremium: true,
    openAttempt: null,
    dueCount: 0,
    firstTries: [],
  };
  const reasons = (some: Partial<RecommendationInput>) =>
    recommendationsFor({ ...input, ...some }).map((one) =>
      "lessonId" in one ? `${one.reason} ${one.lessonId}` : one.reason,
    );

  it("has the order of the page", () => {
    expect(
      reasons({
        openAttempt: { attemptId: "x", lessonId: "a1" },
        dueCount: 10,
        firstTries: [...tries("a1", 9, 1, 0), ...tries("a2", 7, 3, 20)],
      }),
    ).toEqual(["open_attempt a1", "reviews_due", "next_lesson b1", "weak_category a2"]);
  });

  it("needs ten due reviews, ten first tries and less than 80 %", () => {
    expect(reasons({ dueCount: 9 })).toEqual(["next_lesson b1"]);
    expect(reasons({ firstTries: tries("a2", 0, 9, 0) })).toEqual(["next_lesson b1"]);
    expect(reasons({ firstTries: tries("a2", 8, 2, 0) })).toEqual(["next_lesson b1"]);
    expect(reasons({ firstTries: tries("a2", 7, 3, 0) })).toContain("weak_category a2");
  });

  it("looks at the last 100 first tries only", () => {
    const firstTries = [...tries("a2", 0, 10, 0), ...tries("a1", 100, 0, 20)];
    expect(reasons({ firstTries })).toEqual(["next_lesson b1"]);
  });

  it("recommends no lesson that the plan does not allow", () => {
    expect(reasons({ isPremium: false })).toEqual([]);
  });
});
