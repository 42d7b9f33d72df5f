import { rememberByText } from "../remember-by-text.js";

/** The zone on the profile; `previousTimeZone` is in force until `timeZoneFrom`. */
export interface Zones {
  timeZone: string;
  previousTimeZone: string | null;
  timeZoneFrom: Date | null;
}

/** `date` is YYYY-MM-DD on the learner's calendar. */
export interface LocalDate {
  zone: string;
  date: string;
}

export function localDateOf(zones: Zones, at: Date): LocalDate {
  const zone = zoneInForce(zones, at);
  return { zone, date: dateFormat(zone).format(at) };
}

function zoneInForce({ timeZone, previousTimeZone, timeZoneFrom }: Zones, at: Date): string {
  const isPending = timeZoneFrom !== null && at < timeZoneFrom;
  return isPending && previousTimeZone !== null ? previousTimeZone : timeZone;
}

/** Making one costs more than using it. */
const dateFormat = rememberByText((timeZone) => {
  // Sweden writes dates as ISO 8601 does.
  const [year, month, day] = ["numeric", "2-digit", "2-digit"] as const;
  return new Intl.DateTimeFormat("sv-SE", { timeZone, year, month, day });
});
