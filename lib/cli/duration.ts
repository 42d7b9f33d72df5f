import { UsageError } from "./failures.js";

const seconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The seconds of what people type: `30m`, `12h`, `90d`, and of what an undo says in seconds. */
export function secondsOf(typed: string): number {
  const [, count, unit = ""] = /^(\d{1,8})([smhd])$/.exec(typed) ?? [];
  if (count === undefined) throw new UsageError(`Not a duration: ${typed} (30m, 12h, 90d)`);
  return Number(count) * (seconds[unit] ?? 0);
}
