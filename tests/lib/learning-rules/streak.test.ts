import { describe, expect, it } from "vitest";
import { chat, facts, lesson, noon, review } from "../../support/learning-rules/build.js";
import {
  addDays,
  datesBetween,
  notLivedBetween,
  withZoneChange,
} from "../../support/learning-rules/days.js";
import type { Grace } from "../../support/learning-rules/facts.js";
import { activeDaysOf, foldStreak } from "../../support/learning-rules/streak.js";

const chatsOn = (dates: readonly string[]) => dates.map((date, order) => chat(date, order));
const grace = (date: string): Grace => ({ date, receiptOrder: 999, receivedAtMs: noon(date) });

describe("active days", () => {
  it("needs five different cards, one lesson or one chat message", () => {
    const cards = (date: string, ids: string[]) => ids.map((id, order) => review(date, order, id));
    const some = facts({
      reviews: [
        ...cards("2026-05-01", ["a", "b", "c", "d", "e"]),
        ...cards("2026-05-02", ["a", "b", "c", "d", "a"]),
      ],
      completions: [lesson("2026-05-03", 10)],
      chatMessages: [chat("2026-05-04", 11)],
    });
    expect(activeDaysOf(some)).toEqual(["2026-05-01", "2026-05-03", "2026-05-04"]);
  });

  it("does not count work that is older than 48 h at receipt", () => {
    const some = facts({
      completions: [
        lesson("2026-05-01", 1, { receivedOn: "2026-05-04" }),
        lesson("2026-05-02", 2, { receivedOn: "2026-05-04" }),
      ],
    });
    expect(activeDaysOf(some)).toEqual(["2026-05-02"]);
  });

  it("still counts an undone review", () => {
    const reviews = ["a", "b", "c", "d", "e"].map((id, i) => review("2026-05-01", i, id));
    const undos = [{ reviewId: "review-000000", receiptOrder: 9, receivedAtMs: 0 }];
    expect(activeDaysOf(facts({ reviews, undos }))).toEqual(["2026-05-01"]);
  });
});

describe("the streak", () => {
  const week = datesBetween("2026-05-01", "2026-05-07");

  it("is 0 without any active day", () => {
    expect(foldStreak(facts({}), "2026-05-01")).toMatchObject({ streak: 0, freezes: 0 });
  });

  it("earns a freeze on the 7th active day", () => {
    const sixDays = facts({ chatMessages: chatsOn(week.slice(0, 6)) });
    expect(foldStreak(sixDays, "2026-05-06")).toMatchObject({ streak: 6, freezes: 0 });
    const sevenDays = facts({ chatMessages: chatsOn(week) });
    expect(foldStreak(sevenDays, "2026-05-07")).toMatchObject({ streak: 7, freezes: 1 });
  });

  it("does not miss today", () => {
    const some = facts({ chatMessages: chatsOn(week.slice(0, 6)) });
    expect(foldStreak(some, "2026-05-07").streak).toBe(6);
    expect(foldStreak(some, "2026-05-08")).toMatchObject({ streak: 0, longest: 6 });
  });

  it("spends a freeze on a missed day and then breaks", () => {
    const some = facts({ chatMessages: chatsOn(week) });
    expect(foldStreak(some, "2026-05-09")).toMatchObject({
      streak: 7,
      freezes: 0,
      freezesSpentOn: ["2026-05-08"],
    });
    expect(foldStreak(some, "2026-05-10")).toMatchObject({ streak: 0, longest: 7 });
  });

  it("counts active days, not frozen ones, to the next freeze", () => {
    // 1–7 May active, 8 May frozen, 9–14 May active: 13 active days; the 14th is 15 May.
    const dates = [...week, ...datesBetween("2026-05-09", "2026-05-15")];
    const some = facts({ chatMessages: chatsOn(dates) });
    expect(foldStreak(some, "2026-05-14")).toMatchObject({ streak: 13, freezes: 0 });
    expect(foldStreak(some, "2026-05-15")).toMatchObject({ streak: 14, freezes: 1 });
  });

  it("holds at most two freezes", () => {
    const dates = datesBetween("2026-05-01", "2026-05-21");
    const some = facts({ chatMessages: chatsOn(dates) });
    expect(foldStreak(some, "2026-05-21")).toMatchObject({ streak: 21, freezes: 2 });
    expect(foldStreak(some, "2026-05-24").streak).toBe(21);
    expect(foldStreak(some, "2026-05-25").streak).toBe(0);
  });

  it("gives a freeze back when a late sync fills the day", () => {
    const dates = [...week, "2026-05-09"];
    const before = foldStreak(facts({ chatMessages: chatsOn(dates) }), "2026-05-09");
    expect(before).toMatchObject({ streak: 8, freezes: 0, freezesSpentOn: ["2026-05-08"] });
    const completions = [lesson("2026-05-08", 50, { receivedOn: "2026-05-09" })];
    const after = foldStreak(facts({ chatMessages: chatsOn(dates), completions }), "2026-05-09");
    expect(after).toMatchObject({ streak: 9, freezes: 1, freezesSpentOn: [] });
  });

  it("passes over a granted day", () => {
    const chatMessages = chatsOn(["2026-05-01", "2026-05-03"]);
    const graces = [grace("2026-05-02")];
    expect(foldStreak(facts({ chatMessages }), "2026-05-03").streak).toBe(1);
    expect(foldStreak(facts({ chatMessages, graces }), "2026-05-03").streak).toBe(2);
  });

  it("keeps the streak from Honolulu to Kiritimati", () => {
    const history = withZoneChange(
      [{ zone: "Pacific/Honolulu", effectiveFromMs: 0 }],
      "Pacific/Kiritimati",
      Date.parse("2026-05-01T22:00:00Z"),
    );
    const chatMessages = chatsOn(["2026-04-30", "2026-05-01", "2026-05-03"]);
    const notLived = notLivedBetween(history, "2026-04-30", "2026-05-03");
    expect(foldStreak(facts({ chatMessages, notLived }), "2026-05-03").streak).toBe(3);
    expect(foldStreak(facts({ chatMessages }), "2026-05-03").streak).toBe(1);
  });

  it("can end lower after one more active day, where that day moves the freezes", () => {
    // Without 30 April: the 14th and 21st days are 14 and 22 May, and 21 May is frozen.
    const dates = [...datesBetween("2026-05-01", "2026-05-20"), "2026-05-22"];
    const without = foldStreak(facts({ chatMessages: chatsOn(dates) }), "2026-05-25");
    expect(without).toMatchObject({ streak: 21, freezes: 0 });
    // With it: the 21st day is 20 May, when two freezes are held already.
    const withOne = [addDays("2026-05-01", -1), ...dates];
    expect(foldStreak(facts({ chatMessages: chatsOn(withOne) }), "2026-05-25").streak).toBe(0);
  });
});
