import type { Limit, PolicyName } from "./policies.js";

export interface CounterName {
  limit: Limit;
  value: string;
  /** Epoch time divided by `windowMs`; null for a delay. */
  window: number | null;
}

/** Parses `rate:<policy>:<kind>:<value>[:<window>]`; a value may contain colons. Null for unknown keys. */
export function parseCounterKey(
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
