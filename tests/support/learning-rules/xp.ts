import { achievementRows } from "./achievements.js";
import { payingReviews } from "./cards.js";
import { challengeRows } from "./challenges.js";
import { isoWeekOf } from "./days.js";
import { bookedOn, type Facts, factsUntil, type Received } from "./facts.js";
import { groupBy } from "./group-by.js";
import { type LedgerRow, rowKey, sumXp } from "./ledger-row.js";
import { defaultReadings, type Readings } from "./readings.js";

/**
 * The ledger as "a function of the set of facts". Dates of weekly challenges and of achievements
 * are those in order of local dates: a server that appends rows as facts arrive may have booked
 * them later. `appendOnlyLedger` has the dates of such a server.
 */
export function ledgerOf(facts: Facts, readings: Readings = defaultReadings): LedgerRow[] {
  return ledgerAfter([], facts, readings);
}

export interface ReceivedRow extends LedgerRow {
  receivedAtMs: number;
}

/**
 * "Insert … on conflict do nothing returning; totals move only by returned rows"; "Nothing is taken
 * back": the ledger that grows by the new rows after each fact, computed anew each time.
 */
export function appendOnlyLedger(
  facts: Facts,
  readings: Readings = defaultReadings,
): ReceivedRow[] {
  const paid: ReceivedRow[] = [];
  for (const { receiptOrder, receivedAtMs } of receiptsOf(facts)) {
    const isPaid = new Set(paid.map(rowKey));
    const rows = ledgerAfter(paid, factsUntil(facts, receiptOrder), readings);
    for (const row of rows) {
      if (!isPaid.has(rowKey(row))) paid.push({ ...row, receivedAtMs });
    }
  }
  return paid;
}

/** "Both are evaluated to a fixpoint in the same batch." A row that is paid keeps its date. */
function ledgerAfter(paid: readonly LedgerRow[], facts: Facts, readings: Readings): LedgerRow[] {
  const direct = directRows(facts);
  let rows = union(paid, direct);
  for (;;) {
    const goals = [...challengeRows(facts, rows), ...achievementRows(facts, rows, readings)];
    const next = union(paid, [...direct, ...goals]);
    if (JSON.stringify(next) === JSON.stringify(rows)) return rows;
    rows = next;
  }
}

function union(paid: readonly LedgerRow[], computed: readonly LedgerRow[]): LedgerRow[] {
  const paidKeys = new Set(paid.map(rowKey));
  return [
    ...paid.map(({ kind, fact, xp, date }) => ({ kind, fact, xp, date })),
    ...computed.filter((row) => !paidKeys.has(rowKey(row))),
  ];
}

function receiptsOf(facts: Facts): Received[] {
  const received: Received[] = [
    ...facts.completions,
    ...facts.reviews,
    ...facts.undos,
    ...facts.chatMessages,
    ...facts.reportCredits,
    ...facts.graces,
  ];
  return received.sort((a, b) => a.receiptOrder - b.receiptOrder);
}

function directRows(facts: Facts): LedgerRow[] {
  return [
    ...lessonRows(facts),
    ...reviewRows(facts),
    ...chatRows(facts),
    ...facts.reportCredits.map(
      ({ attemptId, exerciseId, xp, creditedOn }): LedgerRow => ({
        kind: "report_credit",
        fact: `${attemptId}:${exerciseId}`,
        xp,
        date: creditedOn,
      }),
    ),
  ];
}

/**
 * "`lesson_first` and `perfect`: lesson; `answers` (one row, 5 × first-try rights): attempt;
 * `lesson_repeat`: attempt, ⌊(5n + xpReward + perfectBonus if perfect)/5⌋ in place of the other
 * three"; "Order of arrival may decide only which completion of a lesson is its first".
 */
function lessonRows(facts: Facts): LedgerRow[] {
  const completedLessons = new Set<string>();
  const rows: LedgerRow[] = [];
  for (const completion of byReceipt(facts.completions)) {
    const { lessonId, attemptId, xpReward, isPerfect } = completion;
    const date = bookedOn(completion);
    const answersXp = 5 * completion.firstTryRights;
    const bonus = isPerfect ? completion.perfectBonus : 0;
    if (completedLessons.has(lessonId)) {
      const xp = Math.floor((answersXp + xpReward + bonus) / 5);
      rows.push({ kind: "lesson_repeat", fact: attemptId, xp, date });
    } else {
      rows.push({ kind: "lesson_first", fact: lessonId, xp: xpReward, date });
      rows.push({ kind: "answers", fact: attemptId, xp: answersXp, date });
      if (isPerfect) rows.push({ kind: "perfect", fact: lessonId, xp: bonus, date });
      completedLessons.add(lessonId);
    }
  }
  return rows;
}

/** "review card 2"; "`review`: card + local date". The verdict does not matter. */
function reviewRows(facts: Facts): LedgerRow[] {
  return payingReviews(facts.reviews).map((review) => ({
    kind: "review",
    fact: `${review.cardId}:${bookedOn(review)}`,
    xp: 2,
    date: bookedOn(review),
  }));
}

/** "answered chat message 10 (≤ 5 a day pay)": the first five received of each local date. */
function chatRows(facts: Facts): LedgerRow[] {
  const byDate = groupBy(byReceipt(facts.chatMessages), bookedOn);
  return [...byDate].flatMap(([date, messages]) =>
    messages
      .slice(0, 5)
      .map((message): LedgerRow => ({ kind: "chat", fact: message.messageId, xp: 10, date })),
  );
}

function byReceipt<T extends Received>(facts: readonly T[]): T[] {
  return [...facts].sort((a, b) => a.receiptOrder - b.receiptOrder);
}

type League = "bronze" | "silver" | "gold" | "platinum" | "diamond";

export interface Standing {
  totalXp: number;
  level: number;
  league: League;
}

/**
 * "⌊totalXp / 1000⌋ + 1; league by total XP: bronze 0, silver 501, gold 1501, platinum 3001,
 * diamond 6001".
 */
export function standingOf(rows: readonly LedgerRow[]): Standing {
  const totalXp = sumXp(rows);
  let league: League = "bronze";
  if (totalXp >= 501) league = "silver";
  if (totalXp >= 1501) league = "gold";
  if (totalXp >= 3001) league = "platinum";
  if (totalXp >= 6001) league = "diamond";
  return { totalXp, level: Math.floor(totalXp / 1000) + 1, league };
}

/** "the week is that of the ledger row's local date"; every kind of row counts. */
export function xpByWeek(rows: readonly LedgerRow[]): Map<string, number> {
  const byWeek = groupBy(rows, (row) => isoWeekOf(row.date));
  return new Map([...byWeek].map(([week, ofWeek]) => [week, sumXp(ofWeek)]));
}
