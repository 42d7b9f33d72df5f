const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Parses `30m`, `12h`, `90d`; seconds (`90s`) occur in undo commands. NaN for anything else. */
export function secondsOf(typed: string): number {
  const [, count, unit = ""] = /^(\d{1,8})([smhd])$/.exec(typed) ?? [];
  return Number(count) * (unitSeconds[unit] ?? 0);
}

/** The typed `--since` as the server takes it: a time; an age ends now, a date begins at midnight UTC. */
export function sinceOf({ since }: Record<string, unknown>): string | undefined {
  if (typeof since !== "string") return undefined;
  const seconds = secondsOf(since);
  const at = Number.isNaN(seconds) ? Date.parse(since) : Date.now() - seconds * 1000;
  return new Date(Math.max(0, at)).toISOString();
}
