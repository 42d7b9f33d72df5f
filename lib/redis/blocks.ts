import type { RoundTrip } from "./round-trip.js";

/** The set of everything that is blocked, and the versions of the record that Redis mirrors. */
export const blocksKeys = ["blocks", "mirror:versions"] as const;

/** Stands in the set whenever it is written: without it the set was lost, not empty. */
export const mirrorMark = "mirror";

/** Which of `members` are blocked; null when Redis has lost the set. Rejects when it cannot answer. */
export async function readBlocks(trip: RoundTrip, members: string[]): Promise<string[] | null> {
  const found = await trip.command<number[]>("SMISMEMBER", blocksKeys[0], mirrorMark, ...members);
  const [isMirrored, ...blocked] = found;
  return isMirrored ? members.filter((_, index) => blocked[index]) : null;
}
