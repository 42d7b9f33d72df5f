import type { LocalDate } from "./facts.js";

/** One row of a learner's zone history: from `effectiveFromMs` on the zone is `zone` (IANA). */
export interface ZoneRow {
  zone: string;
  effectiveFromMs: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Offsets and transitions are whole quarters of an hour everywhere since 2012. */
const quarterMs = 15 * minuteMs;

export const lateAfterMs = 48 * hourMs;

/**
 * "Zone changes are rows (zone, effective from)": the last row that is in force. Before the first
 * row the first row applies. Of rows with one `effectiveFromMs` the later in the list wins.
 */
export function zoneAt(history: readonly ZoneRow[], instantMs: number): string {
  const rows = [...history].sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
  const inForce = rows.findLast((row) => row.effectiveFromMs <= instantMs) ?? rows[0];
  if (inForce === undefined) throw new Error("A zone history has at least one row.");
  return inForce.zone;
}

/** "the zone and local date of any work are those in force at its corrected instant". */
export function localDateAt(history: readonly ZoneRow[], instantMs: number): LocalDate {
  return localDateInZone(zoneAt(history, instantMs), instantMs);
}

function localDateInZone(zone: string, instantMs: number): LocalDate {
  return new Date(wallClockAsUtcMs(zone, instantMs)).toISOString().slice(0, 10);
}

/** "local wall clock encoded as UTC": 09:30 in the zone becomes 09:30Z of the same date. */
export function wallClockAsUtcMs(zone: string, instantMs: number): number {
  const parts = new Map(
    formatterFor(zone)
      .formatToParts(instantMs)
      .map((part) => [part.type as string, Number(part.value)]),
  );
  const part = (name: string): number => parts.get(name) ?? 0;
  return Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
    part("fractionalSecond"),
  );
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterFor(zone: string): Intl.DateTimeFormat {
  const formatter =
    formatters.get(zone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      fractionalSecondDigits: 3,
    });
  formatters.set(zone, formatter);
  return formatter;
}

/**
 * "a new zone counts from the old zone's next midnight": the first later instant with a later
 * local date. It is 01:00 where "midnight may not exist".
 */
export function nextMidnightMs(zone: string, instantMs: number): number {
  const today = localDateInZone(zone, instantMs);
  let candidateMs = Math.floor(instantMs / quarterMs) * quarterMs;
  while (localDateInZone(zone, candidateMs) <= today) candidateMs += quarterMs;
  return candidateMs;
}

/** A zone history with one more change, requested at `requestedAtMs`. */
export function withZoneChange(
  history: readonly ZoneRow[],
  zone: string,
  requestedAtMs: number,
): ZoneRow[] {
  const oldZone = zoneAt(history, requestedAtMs);
  return [...history, { zone, effectiveFromMs: nextMidnightMs(oldZone, requestedAtMs) }];
}

/**
 * "a day may not be lived (Honolulu → Kiritimati)": a date is lived when the learner's clock
 * shows it at some quarter of an hour. Zones are between UTC−12 and UTC+14.
 */
export function isLived(history: readonly ZoneRow[], date: LocalDate): boolean {
  const utcMidnightMs = Date.parse(date);
  const firstMs = utcMidnightMs - 14 * hourMs;
  const lastMs = utcMidnightMs + dayMs + 12 * hourMs;
  for (let instantMs = firstMs; instantMs < lastMs; instantMs += quarterMs) {
    if (localDateAt(history, instantMs) === date) return true;
  }
  return false;
}

export function notLivedBetween(
  history: readonly ZoneRow[],
  first: LocalDate,
  last: LocalDate,
): LocalDate[] {
  return datesBetween(first, last).filter((date) => !isLived(history, date));
}

export interface Timing {
  occurredAtMs: number;
  /** The device's clock when it sent the request; null where a request carries none. */
  sentAtMs: number | null;
  receivedAtMs: number;
  /** The attempt's start or the card's creation; null where the work has neither. */
  notBeforeMs: number | null;
}

/**
 * "Instants are corrected with `sentAt` and clamped to (attempt start, or card creation, or 48 h
 * ago, now]": the device's clock error is `receivedAt − sentAt`. 48 h ago is the bound only of
 * work that has neither an attempt nor a card.
 */
export function correctedInstantMs(timing: Timing): number {
  const clockErrorMs = timing.sentAtMs === null ? 0 : timing.receivedAtMs - timing.sentAtMs;
  const notBeforeMs = timing.notBeforeMs ?? timing.receivedAtMs - lateAfterMs;
  return Math.min(timing.receivedAtMs, Math.max(notBeforeMs, timing.occurredAtMs + clockErrorMs));
}

/** "Older work than 48 h": exactly 48 h is not late. */
function isLateWork(correctedMs: number, receivedAtMs: number): boolean {
  return receivedAtMs - correctedMs > lateAfterMs;
}

/** The three date fields of `Work` in facts.ts. */
export function datesOfWork(
  history: readonly ZoneRow[],
  correctedMs: number,
  receivedAtMs: number,
): { workedOn: LocalDate; receivedOn: LocalDate; isLate: boolean } {
  return {
    workedOn: localDateAt(history, correctedMs),
    receivedOn: localDateAt(history, receivedAtMs),
    isLate: isLateWork(correctedMs, receivedAtMs),
  };
}

export function addDays(date: LocalDate, days: number): LocalDate {
  return new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, 10);
}

/** All dates from `first` to `last`, both included. */
export function datesBetween(first: LocalDate, last: LocalDate): LocalDate[] {
  const dates: LocalDate[] = [];
  for (let date = first; date <= last; date = addDays(date, 1)) dates.push(date);
  return dates;
}

/** The Monday of the ISO week ("Mon–Sun") of a local date. */
export function mondayOf(date: LocalDate): LocalDate {
  const daysSinceMonday = (new Date(date).getUTCDay() + 6) % 7;
  return addDays(date, -daysSinceMonday);
}

/** The ISO week, `2026-W01`. A week belongs to the year of its Thursday. */
export function isoWeekOf(date: LocalDate): string {
  const thursday = addDays(mondayOf(date), 3);
  const year = thursday.slice(0, 4);
  const dayOfYear = (Date.parse(thursday) - Date.parse(`${year}-01-01`)) / dayMs;
  return `${year}-W${String(Math.floor(dayOfYear / 7) + 1).padStart(2, "0")}`;
}
