import type { Gate } from "../context.js";
import type { Answer, RoundTrip } from "./round-trip.js";

/** What each request needs to know: the cutoff of sessions, flags, breaker, last drain and restore. */
export const gateKey = "gate";

const fields = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain", "restore"] as const;

export function readGate(trip: RoundTrip): Answer<Gate> {
  const values = trip.ask<(string | null)[]>("HMGET", gateKey, ...fields);
  return () => {
    const [revokeAllBefore = null, flags = null, toolkitBreaker = null, lastDrain, restore] =
      values();
    return {
      revokeAllBefore: revokeAllBefore === null ? null : parseMs(revokeAllBefore),
      flags,
      toolkitBreaker,
      isRestoring: Boolean(restore),
      lastDrainMs: parseMs(lastDrain) || 0,
    };
  };
}

/** NaN without a number. */
export function parseMs(text: string | null | undefined): number {
  return text?.trim() ? Number(text) : Number.NaN;
}
