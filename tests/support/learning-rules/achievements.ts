import { graduations } from "./cards.js";
import { bookedOn, type Completion, type Facts, type LocalDate, type Work } from "./facts.js";
import { groupBy } from "./group-by.js";
import { dateOfNth, dateOfXp, type LedgerRow } from "./ledger-row.js";
import type { Readings } from "./readings.js";
import { foldToLastActiveDay } from "./streak.js";

/** IDs of this calculation. */
const achievementXp = {
  streak_7: 100,
  streak_30: 500,
  streak_100: 2000,
  lessons_10: 50,
  lessons_100: 500,
  words_100: 200,
  words_1000: 1000,
  perfect_10: 400,
  xp_1000: 0,
  xp_10000: 0,
  accuracy_90: 300,
} as const;

type AchievementId = keyof typeof achievementXp;

/**
 * "streak 7/30/100 (+100/+500/+2000), lessons 10/100 (+50/+500), words 100/1000 (+200/+1000), 10
 * perfect lessons (+400), XP 1000/10000, accuracy ≥ 90 % over 50 answers (+300)"; "XP 1000/10000
 * pay 0". `paidRows` are all rows of the ledger, those of challenges and achievements included.
 */
export function achievementRows(
  facts: Facts,
  paidRows: readonly LedgerRow[],
  readings: Readings,
): LedgerRow[] {
  const lessons = lessonDates(facts.completions, readings.lessonsAchievement);
  const perfect = lessonDates(
    facts.completions.filter((completion) => completion.isPerfect),
    readings.perfectAchievement,
  );
  const undone = facts.undos.map((undo) => undo.reviewId);
  const words = graduations(facts.reviews, undone).map((graduation) => graduation.date);
  const dates: Record<AchievementId, LocalDate | null> = {
    streak_7: dateOfStreak(facts, 7),
    streak_30: dateOfStreak(facts, 30),
    streak_100: dateOfStreak(facts, 100),
    lessons_10: dateOfNth(lessons, 10),
    lessons_100: dateOfNth(lessons, 100),
    words_100: dateOfNth(words, 100),
    words_1000: dateOfNth(words, 1000),
    perfect_10: dateOfNth(perfect, 10),
    xp_1000: dateOfXp(paidRows, 1000),
    xp_10000: dateOfXp(paidRows, 10_000),
    accuracy_90: dateOfAccuracy(facts, readings),
  };
  return (Object.keys(dates) as AchievementId[]).flatMap((id): LedgerRow[] => {
    const date = dates[id];
    return date === null ? [] : [{ kind: "achievement", fact: id, xp: achievementXp[id], date }];
  });
}

function dateOfStreak(facts: Facts, length: number): LocalDate | null {
  return foldToLastActiveDay(facts).find((day) => day.streak >= length)?.date ?? null;
}

function lessonDates(
  completions: readonly Completion[],
  reading: Readings["lessonsAchievement"],
): LocalDate[] {
  if (reading === "completions") return completions.map(bookedOn);
  const byLesson = groupBy(completions, (completion) => completion.lessonId);
  return [...byLesson.values()].flatMap((ofLesson) => ofLesson.map(bookedOn).sort().slice(0, 1));
}

/** "accuracy = the last 50 first tries in lessons, in order of receipt", ≥ 90 % of them right. */
function dateOfAccuracy(facts: Facts, readings: Readings): LocalDate | null {
  const work: Work[] =
    readings.accuracyEvaluatedAt === "completions"
      ? [...facts.completions]
      : [...facts.completions, ...facts.reviews, ...facts.chatMessages];
  const inOrder = work.sort((a, b) => a.receiptOrder - b.receiptOrder);
  const evaluation = inOrder.find((one) => isAccurate(facts, one.receiptOrder));
  return evaluation === undefined ? null : bookedOn(evaluation);
}

function isAccurate(facts: Facts, receiptOrder: number): boolean {
  const lastFifty = facts.firstTries
    .filter((firstTry) => firstTry.receiptOrder <= receiptOrder)
    .sort((a, b) => a.receiptOrder - b.receiptOrder)
    .slice(-50);
  return lastFifty.length === 50 && lastFifty.filter((one) => one.isRight).length >= 45;
}
