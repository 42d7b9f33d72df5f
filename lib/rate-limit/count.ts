import type { Limit, LimitKind } from "./policies.js";

export type LimitValues = Partial<Record<LimitKind, string>>;

export interface LimitCount {
  limit: Limit;
  value: string;
  allowed: boolean;
  /** Includes this request if it was counted. A window in Redis reports at most `max`. */
  used: number;
  remaining: number;
  resetsAtMs: number;
  /** Exempted once from the delay after a password reset, and not counted. */
  usedPass?: true;
}

/** `countedIn`: the store in which counts are released. */
export interface Reservation {
  counts: LimitCount[];
  countedIn: "redis" | "postgres";
  /** What this process counted; Redis may have counted other limits, or none. */
  local: LimitCount[];
  /** The account with this e-mail address, once the handler has found it: an event of a failure names it. */
  accountId?: string | undefined;
}

/** Takes the counts out of the reservation, so that they are released at most once. */
export function consumeReservation(reservation: Reservation): Reservation {
  const taken = { ...reservation };
  reservation.counts = [];
  reservation.local = [];
  return taken;
}
