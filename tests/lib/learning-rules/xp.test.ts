import { describe, expect, it } from "vitest";
import {
  chat,
  defined,
  facts,
  firstTries,
  lesson,
  noon,
  review,
} from "../../support/learning-rules/build.js";
import { datesBetween } from "../../support/learning-rules/days.js";
import { type Facts, noFacts } from "../../support/learning-rules/facts.js";
import type { LedgerRow } from "../../support/learning-rules/ledger-row.js";
import { defaultReadings } from "../../support/learning-rules/readings.js";
import {
  appendOnlyLedger,
  ledgerOf,
  standingOf,
  xpByWeek,
} from "../../support/learning-rules/xp.js";

const line = (row: LedgerRow): string => `${row.kind} ${row.fact} ${row.xp} ${row.date}`;
const linesOf = (some: Facts, kinds?: string[]): string[] =>
  ledgerOf(some)
    .filter((row) => kinds === undefined || kinds.includes(row.kind))
    .map(line);
const goalsOf = (some: Facts): string[] => linesOf(some, ["challenge", "achievement"]);
const total = (some: Facts): number => standingOf(ledgerOf(some)).totalXp;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("lessons", () => {
  it("pays reward, answers and bonus once, and a fifth for repeats", () => {
    const one = { lessonId: "a", firstTryRights: 8, xpReward: 25, perfectBonus: 12 };
    const completions = [
      lesson("2026-05-04", 1, { ...one, isPerfect: true }),
      lesson("2026-05-05", 2, one),
      lesson("2026-05-06", 3, { ...one, firstTryRights: 9, isPerfect: true }),
    ];
    // Repeats: ⌊(40 + 25)/5⌋ = 13 and ⌊(45 + 25 + 12)/5⌋ = ⌊16.4⌋ = 16.
    expect(
      linesOf(facts({ completions }), ["lesson_first", "perfect", "answers", "lesson_repeat"]),
    ).toEqual([
      "lesson_first a 25 2026-05-04",
      "answers attempt-1 40 2026-05-04",
      "perfect a 12 2026-05-04",
      "lesson_repeat attempt-2 13 2026-05-05",
      "lesson_repeat attempt-3 16 2026-05-06",
    ]);
  });

  it("lets the order of receipt decide which completion is the first", () => {
    const completions = [
      lesson("2026-05-05", 1, { lessonId: "a" }),
      lesson("2026-05-04", 2, { lessonId: "a", receivedOn: "2026-05-05" }),
    ];
    expect(linesOf(facts({ completions }), ["lesson_first", "lesson_repeat"])).toEqual([
      "lesson_first a 20 2026-05-05",
      "lesson_repeat attempt-2 4 2026-05-04",
    ]);
  });

  it("does not pay the bonus of a first completion later", () => {
    const completions = [
      lesson("2026-05-04", 1, { lessonId: "a" }),
      lesson("2026-05-04", 2, { lessonId: "a", isPerfect: true }),
    ];
    expect(linesOf(facts({ completions }), ["perfect"])).toEqual([]);
  });

  it("books work of more than 48 h ago on the date of receipt", () => {
    const completions = [lesson("2026-05-01", 1, { receivedOn: "2026-05-05" })];
    expect(linesOf(facts({ completions }), ["lesson_first"])).toEqual([
      "lesson_first lesson-1 20 2026-05-05",
    ]);
  });
});

describe("reviews, chat and credits", () => {
  it("pays a card once a local date, whatever the verdict", () => {
    const reviews = [
      review("2026-05-04", 1, "a", { verdict: "wrong", rating: 1 }),
      review("2026-05-04", 2, "a"),
      review("2026-05-05", 3, "a"),
      review("2026-05-04", 4, "b"),
    ];
    expect(linesOf(facts({ reviews }), ["review"])).toEqual([
      "review a:2026-05-04 2 2026-05-04",
      "review a:2026-05-05 2 2026-05-05",
      "review b:2026-05-04 2 2026-05-04",
    ]);
  });

  it("pays for an undone review", () => {
    const reviews = [review("2026-05-04", 1, "a")];
    const undos = [{ reviewId: "review-000001", receiptOrder: 2, receivedAtMs: 0 }];
    expect(total(facts({ reviews, undos }))).toBe(2);
  });

  it("pays five chat messages a day", () => {
    const chatMessages = numbers(7).map((order) => chat("2026-05-04", order));
    expect(total(facts({ chatMessages }))).toBe(50);
  });

  it("pays a credit on its day", () => {
    const credit = { attemptId: "x", exerciseId: "y", xp: 5, creditedOn: "2026-05-04" };
    const reportCredits = [{ ...credit, receiptOrder: 1, receivedAtMs: 0 }];
    expect(linesOf(facts({ reportCredits }))).toEqual(["report_credit x:y 5 2026-05-04"]);
  });
});

describe("challenges", () => {
  it("pays three lessons and one perfect lesson of a day", () => {
    const completions = [
      lesson("2026-05-04", 1, { lessonId: "a" }),
      lesson("2026-05-04", 2, { lessonId: "a", isPerfect: true }),
      lesson("2026-05-04", 3, { lessonId: "b", isPerfect: true }),
      lesson("2026-05-05", 4, { lessonId: "c" }),
    ];
    expect(goalsOf(facts({ completions }))).toEqual([
      "challenge daily_3_lessons:2026-05-04 50 2026-05-04",
      "challenge daily_perfect_lesson:2026-05-04 30 2026-05-04",
      "challenge daily_streak:2026-05-05 20 2026-05-05",
    ]);
  });

  it("pays the streak challenge from the second active day in a row", () => {
    const chatMessages = ["2026-05-01", "2026-05-02", "2026-05-04"].map((date, order) =>
      chat(date, order),
    );
    expect(goalsOf(facts({ chatMessages }))).toEqual([
      "challenge daily_streak:2026-05-02 20 2026-05-02",
    ]);
  });

  it("pays the streak challenge of a past day when a late sync joins two days", () => {
    const chatMessages = [chat("2026-05-01", 1), chat("2026-05-03", 2)];
    const completions = [lesson("2026-05-02", 3, { receivedOn: "2026-05-03" })];
    const goals = goalsOf(facts({ chatMessages, completions }));
    expect(goals).toEqual([
      "challenge daily_streak:2026-05-02 20 2026-05-02",
      "challenge daily_streak:2026-05-03 20 2026-05-03",
    ]);
  });

  it("pays the 12th lesson of a week on its date", () => {
    // Two lessons a day from Monday 4 May: the 12th is on Saturday.
    const completions = datesBetween("2026-05-04", "2026-05-10").flatMap((date, day) => [
      lesson(date, 2 * day),
      lesson(date, 2 * day + 1),
    ]);
    expect(goalsOf(facts({ completions }))).toContain(
      "challenge weekly_12_lessons:2026-W19 200 2026-05-09",
    );
    const sundayToSaturday = completions.map((one) => ({ ...one, workedOn: "2026-05-03" }));
    const split = [...completions.slice(0, 11), ...sundayToSaturday.slice(11)];
    expect(goalsOf(facts({ completions: split })).join()).not.toContain("weekly_12_lessons");
  });

  it("does not feed the 500-XP challenge with challenge or achievement XP", () => {
    // Monday 4 to Sunday 10 May: 5 lessons of 95 XP (475) with 3 + perfect + streak challenges and
    // a 7-day streak (+100) from chat on the other two days (+20): 495, then one review pair: 499.
    const dates = datesBetween("2026-05-04", "2026-05-10");
    const completions = dates
      .slice(0, 5)
      .map((date, order) => lesson(date, order, { firstTryRights: 15, isPerfect: false }));
    const chatMessages = dates.slice(5).map((date, order) => chat(date, 10 + order));
    const reviews = [review("2026-05-10", 20, "a"), review("2026-05-10", 21, "b")];
    const below = facts({ completions, chatMessages, reviews });
    expect(goalsOf(below)).toContain("achievement streak_7 100 2026-05-10");
    expect(total(below)).toBe(499 + 6 * 20 + 100);
    expect(goalsOf(below).join()).not.toContain("weekly_500_xp");

    const above = facts({
      completions,
      chatMessages,
      reviews: [...reviews, review("2026-05-10", 22, "c")],
    });
    expect(goalsOf(above)).toContain("challenge weekly_500_xp:2026-W19 150 2026-05-10");
    expect(total(above)).toBe(501 + 6 * 20 + 100 + 150);
  });

  it("counts 60 different cards that were not wrong", () => {
    const reviews = numbers(60).map((n) =>
      review(n < 30 ? "2026-05-04" : "2026-05-06", n, `card-${n}`, {
        verdict: defined((["right", "accent", "typo"] as const)[n % 3]),
      }),
    );
    const again = review("2026-05-07", 98, "card-0");
    const wrong = review("2026-05-07", 99, "card-99", { verdict: "wrong", rating: 1 });
    expect(
      goalsOf(facts({ reviews: [...reviews.slice(0, 59), again, wrong] })).join(),
    ).not.toContain("weekly_60_words");
    expect(goalsOf(facts({ reviews }))).toContain(
      "challenge weekly_60_words:2026-W19 150 2026-05-06",
    );
  });
});

describe("achievements", () => {
  it("pays ten lessons on the date of the tenth different lesson", () => {
    const completions = numbers(10).map((n) =>
      lesson(n < 9 ? "2026-05-04" : "2026-05-20", n, { lessonId: `lesson-${n}` }),
    );
    const repeat = lesson("2026-05-10", 50, { lessonId: "lesson-0" });
    const some = facts({ completions: [...completions, repeat] });
    expect(goalsOf(some)).toContain("achievement lessons_10 50 2026-05-20");
    const byCompletions = { ...defaultReadings, lessonsAchievement: "completions" } as const;
    expect(ledgerOf(some, byCompletions).map(line)).toContain(
      "achievement lessons_10 50 2026-05-10",
    );
  });

  it("pays ten perfect completions, repeats included", () => {
    const completions = numbers(10).map((n) =>
      lesson("2026-05-04", n, { lessonId: "a", isPerfect: true }),
    );
    expect(goalsOf(facts({ completions }))).toContain("achievement perfect_10 400 2026-05-04");
  });

  it("cascades: achievement XP reaches the 1000-XP achievement, which pays nothing", () => {
    // One day, ten perfect lessons of 20 + 10 XP with 5 rights (25): 550. Challenges 50 + 30.
    // 500 XP in a week: +150. lessons_10 +50, perfect_10 +400: 1230. Without goals it is 550.
    const completions = numbers(10).map((n) =>
      lesson("2026-05-04", n, { firstTryRights: 5, isPerfect: true }),
    );
    const some = facts({ completions });
    expect(goalsOf(some).sort()).toEqual([
      "achievement lessons_10 50 2026-05-04",
      "achievement perfect_10 400 2026-05-04",
      "achievement xp_1000 0 2026-05-04",
      "challenge daily_3_lessons:2026-05-04 50 2026-05-04",
      "challenge daily_perfect_lesson:2026-05-04 30 2026-05-04",
      "challenge weekly_500_xp:2026-W19 150 2026-05-04",
    ]);
    expect(standingOf(ledgerOf(some))).toEqual({ totalXp: 1230, level: 2, league: "silver" });
  });

  it("counts words when their cards reach Review", () => {
    // Good, Good after ten minutes: Review on the second. Easy at once: Review on the first.
    const easy = numbers(99).map((n) => review("2026-05-04", n, `card-${n}`, { rating: 4 }));
    const slow = [review("2026-05-05", 200, "slow"), review("2026-05-06", 201, "slow")];
    expect(goalsOf(facts({ reviews: [...easy, defined(slow[0])] })).join()).not.toContain(
      "words_100",
    );
    expect(goalsOf(facts({ reviews: [...easy, ...slow] }))).toContain(
      "achievement words_100 200 2026-05-06",
    );
  });

  it("looks at the last 50 first tries at each completion", () => {
    const wrongThenRight = [...Array(6).fill(false), ...Array(44).fill(true)] as boolean[];
    const tries = firstTries(wrongThenRight, 1);
    const completions = [lesson("2026-05-04", 2), lesson("2026-05-09", 4)];
    // 44 of 50 is 88 %; one more right pushes a wrong one out: 45 of 50.
    const some = { ...noFacts, completions, firstTries: tries };
    expect(goalsOf(some).join()).not.toContain("accuracy_90");
    const more = { ...some, firstTries: [...tries, ...firstTries([true], 3)] };
    expect(goalsOf(more)).toContain("achievement accuracy_90 300 2026-05-09");
    const few = { ...some, firstTries: firstTries(Array(49).fill(true) as boolean[], 1) };
    expect(goalsOf(few).join()).not.toContain("accuracy_90");
  });

  it("pays streak 7 on the date on which the fold reached 7", () => {
    const dates = datesBetween("2026-05-02", "2026-05-09");
    const chatMessages = dates.map((date, order) => chat(date, order));
    expect(goalsOf(facts({ chatMessages }))).toContain("achievement streak_7 100 2026-05-08");
  });
});

describe("standing and weeks", () => {
  const rows = (xp: number): LedgerRow[] => [
    { kind: "report_credit", fact: "x", xp, date: "2026-05-10" },
  ];

  it("gives level and league by total XP", () => {
    const at = (xp: number) => {
      const { level, league } = standingOf(rows(xp));
      return `${level} ${league}`;
    };
    expect([0, 500, 501, 999, 1000, 1500, 1501, 3000, 3001, 6000, 6001].map(at)).toEqual([
      "1 bronze",
      "1 bronze",
      "1 silver",
      "1 silver",
      "2 silver",
      "2 silver",
      "2 gold",
      "4 gold",
      "4 platinum",
      "7 platinum",
      "7 diamond",
    ]);
  });

  it("sums all rows of a local week, challenges and achievements included", () => {
    const goal: LedgerRow = { kind: "challenge", fact: "c", xp: 150, date: "2026-05-04" };
    const next: LedgerRow = { kind: "chat", fact: "m", xp: 10, date: "2026-05-11" };
    expect([...xpByWeek([...rows(5), goal, next])]).toEqual([
      ["2026-W19", 155],
      ["2026-W20", 10],
    ]);
  });
});

describe("the append-only ledger", () => {
  it("books a weekly challenge when the server first could, not earlier", () => {
    const onDate = (date: string, from: number, count: number, receivedOn = date) =>
      numbers(count).map((n) => lesson(date, from + n, { receivedOn }));
    const completions = [
      ...onDate("2026-05-04", 0, 11),
      ...onDate("2026-05-07", 20, 1),
      ...onDate("2026-05-06", 30, 1, "2026-05-07"),
    ];
    const some = facts({ completions });
    const weekly = (rows: readonly LedgerRow[]) =>
      rows.filter((row) => row.fact.startsWith("weekly_12")).map(line);
    expect(weekly(ledgerOf(some))).toEqual(["challenge weekly_12_lessons:2026-W19 200 2026-05-06"]);
    expect(weekly(appendOnlyLedger(some))).toEqual([
      "challenge weekly_12_lessons:2026-W19 200 2026-05-07",
    ]);
  });

  it("keeps the words achievement that a late review would have delayed", () => {
    const easy = numbers(99).map((n) => review("2026-05-04", n, `card-${n}`, { rating: 4 }));
    const slow = [
      review("2026-05-05", 200, "slow", { reviewedAtMs: noon("2026-05-05") }),
      review("2026-05-05", 201, "slow", { reviewedAtMs: noon("2026-05-05") + 1_200_000 }),
      review("2026-05-05", 202, "slow", {
        reviewedAtMs: noon("2026-05-05") + 600_000,
        rating: 1,
        verdict: "wrong",
      }),
    ];
    const some = facts({ reviews: [...easy, ...slow] });
    const hasWords = (rows: readonly LedgerRow[]) => rows.some((row) => row.fact === "words_100");
    expect(hasWords(ledgerOf(some))).toBe(false);
    expect(hasWords(appendOnlyLedger(some))).toBe(true);
  });
});
