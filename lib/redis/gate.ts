import type { Gate } from "../context.js";
import type { RoundTrip } from "./round-trip.js";

/** What each request needs to know: the cutoff of sessions, flags, breaker and last drain. */
export const gateKey = "gate";

const fields = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"] as const;

/** Settles after `trip.send()`; rejects when Redis cannot answer. */
export async function readGate(trip: RoundTrip): Promise<Gate> {
  const values = await trip.hashFields(gateKey, ...fields);
  const [revokeAllBefore, flags, toolkitBreaker, lastDrain] = values;
  return {
    revokeAllBefore: revokeAllBefore === null ? null : parseMs(revokeAllBefore),
    flags: flags ?? null,
    toolkitBreaker: toolkitBreaker ?? null,
    lastDrainMs: parseMs(lastDrain) || 0,
  };
}

/** NaN without a number. */
export function parseMs(text: string | null | undefined): number {
  return text?.trim() ? Number(text) : Number.NaN;
}
