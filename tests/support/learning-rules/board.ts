import { addDays, localDateAt, mondayOf, type ZoneRow } from "./days.js";
import type { LocalDate } from "./facts.js";
import type { ReceivedRow } from "./xp.js";

const hourMs = 3_600_000;

/** "the week's first moment anywhere": Monday 00:00 at UTC+14. */
export function weekFirstMomentMs(monday: LocalDate): number {
  return Date.parse(monday) - 14 * hourMs;
}

/** "`finalAt` = the week's last moment at UTC−12 + 48 h". */
export function finalAtMs(monday: LocalDate): number {
  return Date.parse(addDays(monday, 7)) + 12 * hourMs + 48 * hourMs;
}

/** "score = xp·2^20 + (2^20 − 1 − seconds since the week's first moment anywhere)". */
export function boardScore(xp: number, lastXpReceivedAtMs: number, monday: LocalDate): number {
  const seconds = Math.floor((lastXpReceivedAtMs - weekFirstMomentMs(monday)) / 1000);
  return xp * 2 ** 20 + (2 ** 20 - 1 - seconds);
}

/**
 * "the week is that of the ledger row's local date"; "`finalAt` …; later entries go to the current
 * week": that of the learner's local date at receipt. Returns the week's Monday.
 */
export function boardMondayOf(row: ReceivedRow, history: readonly ZoneRow[]): LocalDate {
  const monday = mondayOf(row.date);
  if (row.receivedAtMs <= finalAtMs(monday)) return monday;
  return mondayOf(localDateAt(history, row.receivedAtMs));
}

export interface BoardEntry {
  member: string;
  xp: number;
  score: number;
}

export interface BoardLearner {
  member: string;
  isOptedOut: boolean;
  history: readonly ZoneRow[];
  rows: readonly ReceivedRow[];
}

/**
 * One week's board. "the tie's time is the receipt of the last XP"; "Opting out removes the row".
 * Of entries with one score the greater member comes first, as in Redis `ZREVRANGE`.
 */
export function boardOf(learners: readonly BoardLearner[], dateInWeek: LocalDate): BoardEntry[] {
  const monday = mondayOf(dateInWeek);
  const entries: BoardEntry[] = [];
  for (const { member, isOptedOut, history, rows } of learners) {
    const paying = rows.filter((row) => row.xp > 0 && boardMondayOf(row, history) === monday);
    if (isOptedOut || paying.length === 0) continue;
    const xp = paying.reduce((sum, row) => sum + row.xp, 0);
    const lastXpReceivedAtMs = Math.max(...paying.map((row) => row.receivedAtMs));
    entries.push({ member, xp, score: boardScore(xp, lastXpReceivedAtMs, monday) });
  }
  return entries.sort((a, b) => b.score - a.score || (a.member > b.member ? -1 : 1));
}
