const minuteMs = 60_000;

/** `12:03 UTC (2 min ago)`, by this machine's clock; of another day with the date. */
export function upTo(ms: number): string {
  const [day = "", time = ""] = new Date(ms).toISOString().split("T");
  const isToday = new Date().toISOString().startsWith(day);
  return `${isToday ? "" : `${day} `}${time.slice(0, 5)} UTC (${agoText(minutesSince(ms))})`;
}

export function minutesSince(ms: number): number {
  return Math.max(0, Math.floor((Date.now() - ms) / minuteMs));
}

function agoText(minutes: number): string {
  if (minutes < 1) return "less than 1 min ago";
  if (minutes < 120) return `${minutes} min ago`;
  return minutes < 2880
    ? `${Math.floor(minutes / 60)} h ago`
    : `${Math.floor(minutes / 1440)} d ago`;
}
