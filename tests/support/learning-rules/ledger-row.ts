import type { LocalDate } from "./facts.js";

type LedgerKind =
  | "lesson_first"
  | "perfect"
  | "answers"
  | "lesson_repeat"
  | "review"
  | "chat"
  | "challenge"
  | "achievement"
  | "report_credit";

/** One row of `xp_entries`, "unique by (user, kind, fact)". */
export interface LedgerRow {
  kind: LedgerKind;
  fact: string;
  xp: number;
  date: LocalDate;
}

export function rowKey(row: LedgerRow): string {
  return `${row.kind} ${row.fact}`;
}

export function sumXp(rows: readonly LedgerRow[]): number {
  return rows.reduce((sum, row) => sum + row.xp, 0);
}

/** The date of the n-th of these dated things in order of their dates, or null. */
export function dateOfNth(dates: readonly LocalDate[], n: number): LocalDate | null {
  return [...dates].sort()[n - 1] ?? null;
}

/** The date on which the XP of these rows, in order of their dates, first reached `xp`. */
export function dateOfXp(rows: readonly LedgerRow[], xp: number): LocalDate | null {
  let sum = 0;
  for (const row of [...rows].sort((a, b) => a.date.localeCompare(b.date))) {
    sum += row.xp;
    if (sum >= xp) return row.date;
  }
  return null;
}
