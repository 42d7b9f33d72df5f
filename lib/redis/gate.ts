import type { RoundTrip } from "./round-trip.js";

/** The hash `gate` holds what every request asks for besides what it is counted by. */
export const gateKey = "gate";

/** Each field as Redis holds it, in the order in which they are asked for. */
const fields = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"] as const;

export interface Gate {
  /**
   * The moment before which every session has ended, in ms; null when Redis has lost it. Written by hand,
   * too: `revoke-all.ts` tells whether it can be meant.
   */
  revokeAllBefore: number | null;
  /** The mirror of the flags; null when Redis has lost it. */
  flags: string | null;
  /** The state of the toolkit's circuit breaker; null while it is closed and nothing has failed. */
  toolkitBreaker: string | null;
  /** When events were last drained, in ms; 0 when nobody has. */
  lastDrainMs: number;
}

/** Ask for the gate within `trip`: one command. Rejects when Redis cannot answer. */
export async function readGate(trip: RoundTrip): Promise<Gate> {
  const read = await trip.hashFields(gateKey, ...fields);
  const [revokeAllBefore, flags, toolkitBreaker, lastDrain] = read;
  return {
    revokeAllBefore: revokeAllBefore === null ? null : msOf(revokeAllBefore),
    flags: flags ?? null,
    toolkitBreaker: toolkitBreaker ?? null,
    lastDrainMs: msOf(lastDrain) || 0,
  };
}

/** NaN for what is no number. */
export function msOf(text: string | null | undefined): number {
  return text?.trim() ? Number(text) : Number.NaN;
}
