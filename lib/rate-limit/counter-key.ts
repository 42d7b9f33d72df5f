import type { Limit, PolicyName } from "./policies.js";

export interface CounterName {
  limit: Limit;
  value: string;
  /** Null where one delay stands for each value, whatever the time. */
  window: number | null;
}

/**
 * What the name of a counter says: `rate:<policy>:<kind>:<value>:<window>`, or without the window where
 * the limit is a delay. A value may hold colons. Null for what names no limit of ours.
 */
export function readCounterKey(
  limits: Record<PolicyName, Limit[]>,
  key: string,
): CounterName | null {
  const [, policy = "", kind = "", rest = ""] = /^rate:([^:]+):([^:]+):(.+)$/s.exec(key) ?? [];
  const rows = Object.hasOwn(limits, policy) ? limits[policy as PolicyName] : [];
  const limit = rows.find((row) => row.kind === kind);
  if (!limit) return null;
  if (limit.delaysMs) return { limit, value: rest, window: null };
  const [, value, window] = /^(.+):(\d+)$/s.exec(rest) ?? [];
  if (value === undefined || window === undefined) return null;
  return { limit, value, window: Number(window) };
}
