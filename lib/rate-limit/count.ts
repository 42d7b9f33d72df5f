import type { Limit, LimitKind } from "./policies.js";

/** The values that a request is counted by. */
export type Subject = Partial<Record<LimitKind, string>>;

/** One counter that this request has been counted in. */
export interface Count {
  limit: Limit;
  value: string;
  allowed: boolean;
  /** This request included; of a fixed window never more than its `max`. */
  used: number;
  remaining: number;
  /** When the window or the delay ends, in ms since the epoch. */
  resetsAtMs: number;
  /** It was let past a delay by the pass of a reset, and is not counted. */
  tookPass?: true;
}

/** What a request was counted in, and where: whatever is given back goes back there. */
export interface Reservation {
  counts: Count[];
  countedIn: "redis" | "postgres";
}

/** What was reserved, once: no second reason gives the same back again. */
export function takeReserved(reservation: Reservation): Reservation {
  const taken = { ...reservation };
  reservation.counts = [];
  return taken;
}
