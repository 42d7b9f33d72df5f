const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Parses `30m`, `12h`, `90d`; seconds (`90s`) occur in undo commands. NaN for anything else. */
export function secondsOf(typed: string): number {
  const [, count, unit = ""] = /^(\d{1,8})([smhd])$/.exec(typed) ?? [];
  return Number(count) * (unitSeconds[unit] ?? 0);
}
