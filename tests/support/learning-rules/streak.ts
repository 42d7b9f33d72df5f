import { addDays, datesBetween } from "./days.js";
import type { Facts, LocalDate } from "./facts.js";

export interface StreakDay {
  date: LocalDate;
  event: "active" | "not lived" | "granted" | "today" | "freeze spent" | "lost";
  streak: number;
  freezes: number;
}

export interface Streak {
  streak: number;
  freezes: number;
  longest: number;
  activeDays: LocalDate[];
  freezesSpentOn: LocalDate[];
  days: StreakDay[];
}

const reviewsOfAnActiveDay = 5;
const daysPerFreeze = 7;
const freezesMax = 2;

/**
 * "a local day counts when it has a completed lesson, ≥ 5 reviews or an answered chat message";
 * "for XP and the 5 reviews of an active day each card counts once a local date"; older work than
 * 48 h "makes no day active"; "an undone review still counts for XP and the active day".
 */
export function activeDaysOf(facts: Facts): LocalDate[] {
  const inTime = <T extends { isLate: boolean }>(work: readonly T[]): T[] =>
    work.filter((one) => !one.isLate);
  const dates = [
    ...inTime(facts.completions).map((completion) => completion.workedOn),
    ...inTime(facts.chatMessages).map((message) => message.workedOn),
  ];
  const cardsByDate = new Map<LocalDate, Set<string>>();
  for (const review of inTime(facts.reviews)) {
    const cards = cardsByDate.get(review.workedOn) ?? new Set();
    cardsByDate.set(review.workedOn, cards.add(review.cardId));
  }
  for (const [date, cards] of cardsByDate) {
    if (cards.size >= reviewsOfAnActiveDay) dates.push(date);
  }
  return [...new Set(dates)].sort();
}

/**
 * "one fold over local dates from the first active day: active → streak + 1, and each 7th active
 * day of the current streak earns a freeze (hold ≤ 2); not lived or granted → nothing; missed →
 * spend a freeze (streak unchanged), else streak = 0. Today is never missed".
 */
export function foldStreak(facts: Facts, today: LocalDate): Streak {
  const activeDays = activeDaysOf(facts).filter((date) => date <= today);
  const granted = facts.graces.map((grace) => grace.date);
  const days: StreakDay[] = [];
  let streak = 0;
  let freezes = 0;

  for (const date of datesBetween(activeDays[0] ?? addDays(today, 1), today)) {
    let event: StreakDay["event"];
    if (activeDays.includes(date)) {
      event = "active";
      streak += 1;
      if (streak % daysPerFreeze === 0) freezes = Math.min(freezesMax, freezes + 1);
    } else if (facts.notLived.includes(date)) {
      event = "not lived";
    } else if (granted.includes(date)) {
      event = "granted";
    } else if (date === today) {
      event = "today";
    } else if (freezes > 0) {
      event = "freeze spent";
      freezes -= 1;
    } else {
      event = "lost";
      streak = 0;
    }
    days.push({ date, event, streak, freezes });
  }

  return {
    streak,
    freezes,
    longest: Math.max(0, ...days.map((day) => day.streak)),
    activeDays,
    freezesSpentOn: days.filter((day) => day.event === "freeze spent").map((day) => day.date),
    days,
  };
}

/** The fold up to the last active day: what challenges and achievements look at. */
export function foldToLastActiveDay(facts: Facts): StreakDay[] {
  const lastActiveDay = activeDaysOf(facts).at(-1);
  return lastActiveDay === undefined ? [] : foldStreak(facts, lastActiveDay).days;
}
