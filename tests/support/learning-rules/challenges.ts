import { isoWeekOf } from "./days.js";
import { bookedOn, type Facts, type LocalDate } from "./facts.js";
import { groupBy } from "./group-by.js";
import { dateOfNth, dateOfXp, type LedgerRow } from "./ledger-row.js";
import { foldToLastActiveDay } from "./streak.js";

/** IDs of this calculation. */
const challengeXp = {
  daily_3_lessons: 50,
  daily_perfect_lesson: 30,
  daily_streak: 20,
  weekly_12_lessons: 200,
  weekly_500_xp: 150,
  weekly_60_words: 150,
} as const;

type ChallengeId = keyof typeof challengeXp;

/**
 * "3 lessons (+50), one perfect lesson (+30), keep the streak (+20); weekly (Mon–Sun, local): 12
 * lessons (+200), 500 XP (+150), 60 words (+150); progress counts that day or week only; rewards
 * are paid once". "Its XP is booked on the local date of the fact that completed it". `paidRows`
 * are the rows that the 500-XP challenge counts: those of challenges and achievements are left out.
 */
export function challengeRows(facts: Facts, paidRows: readonly LedgerRow[]): LedgerRow[] {
  return [
    ...dailyLessons(facts),
    ...dailyPerfectLesson(facts),
    ...dailyStreak(facts),
    ...weeklyLessons(facts),
    ...weeklyXp(paidRows),
    ...weeklyWords(facts),
  ];
}

/** "3 … lessons count completions, repeats included". */
function dailyLessons(facts: Facts): LedgerRow[] {
  const byDate = groupBy(facts.completions.map(bookedOn), (date) => date);
  return [...byDate]
    .filter(([, dates]) => dates.length >= 3)
    .map(([date]) => row("daily_3_lessons", date, date));
}

/** "'perfect' may be a repeat". */
function dailyPerfectLesson(facts: Facts): LedgerRow[] {
  const dates = new Set(facts.completions.filter((one) => one.isPerfect).map(bookedOn));
  return [...dates].map((date) => row("daily_perfect_lesson", date, date));
}

/** "'keep the streak' = today active and streak ≥ 2", for each date that was once today. */
function dailyStreak(facts: Facts): LedgerRow[] {
  return foldToLastActiveDay(facts)
    .filter((day) => day.event === "active" && day.streak >= 2)
    .map((day) => row("daily_streak", day.date, day.date));
}

/** "… and 12 lessons count completions, repeats included". */
function weeklyLessons(facts: Facts): LedgerRow[] {
  const byWeek = groupBy(facts.completions.map(bookedOn), isoWeekOf);
  return [...byWeek].flatMap(([week, dates]) =>
    rowIf("weekly_12_lessons", week, dateOfNth(dates, 12)),
  );
}

/** "Challenge and achievement XP does not feed the 500-XP challenge." */
function weeklyXp(paidRows: readonly LedgerRow[]): LedgerRow[] {
  const feeding = paidRows.filter((one) => one.kind !== "challenge" && one.kind !== "achievement");
  const byWeek = groupBy(feeding, (one) => isoWeekOf(one.date));
  return [...byWeek].flatMap(([week, rows]) => rowIf("weekly_500_xp", week, dateOfXp(rows, 500)));
}

/** "'60 words' = distinct cards reviewed right, accent or typo that week". */
function weeklyWords(facts: Facts): LedgerRow[] {
  const known = facts.reviews.filter((review) => review.verdict !== "wrong");
  const byWeek = groupBy(known, (review) => isoWeekOf(bookedOn(review)));
  return [...byWeek].flatMap(([week, reviews]) => {
    const byCard = groupBy(reviews, (review) => review.cardId);
    const firstDates = [...byCard.values()].flatMap((ofCard) =>
      ofCard.map(bookedOn).sort().slice(0, 1),
    );
    return rowIf("weekly_60_words", week, dateOfNth(firstDates, 60));
  });
}

function row(id: ChallengeId, period: string, date: LocalDate): LedgerRow {
  return { kind: "challenge", fact: `${id}:${period}`, xp: challengeXp[id], date };
}

function rowIf(id: ChallengeId, period: string, date: LocalDate | null): LedgerRow[] {
  return date === null ? [] : [row(id, period, date)];
}
