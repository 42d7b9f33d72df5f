import type { Gate } from "../context.js";
import type { RoundTrip } from "./round-trip.js";

/** The hash `gate` holds what every request asks for besides what it is counted by. */
export const gateKey = "gate";

/** Each field as Redis holds it, in the order in which they are asked for. */
const fields = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"] as const;

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
