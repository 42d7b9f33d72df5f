import type { Limit, LimitKind } from "./policies.js";

export type Subject = Partial<Record<LimitKind, string>>;

export interface Count {
  limit: Limit;
  value: string;
  allowed: boolean;
  /** Includes this request; at most `max` for a fixed window. */
  used: number;
  remaining: number;
  resetsAtMs: number;
  /** Exempted once from the delay after a password reset, and not counted. */
  tookPass?: true;
}

/** `countedIn`: the store to which counts are given back. */
export interface Reservation {
  counts: Count[];
  countedIn: "redis" | "postgres";
}

/** Empties the reservation, so that it is given back at most once. */
export function takeReserved(reservation: Reservation): Reservation {
  const taken = { ...reservation };
  reservation.counts = [];
  return taken;
}
