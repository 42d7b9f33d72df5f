import { UsageError } from "./failures.js";

const seconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Parses `30m`, `12h`, `90d`; seconds (`90s`) occur in undo commands. Throws `UsageError`. */
export function secondsOf(typed: string): number {
  const [, count, unit = ""] = /^(\d{1,8})([smhd])$/.exec(typed) ?? [];
  if (count === undefined)
    throw new UsageError(`Invalid duration: ${typed}. Examples: 30m, 12h, 90d`);
  return Number(count) * (seconds[unit] ?? 0);
}
