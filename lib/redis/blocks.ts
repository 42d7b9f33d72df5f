import type { RoundTrip } from "./round-trip.js";

/** The set of blocked members, and the hash of the versions of flags and blocks. */
export const blocksKeys = ["blocks", "mirror:versions"] as const;

/** Always a member of the set: without it the set was lost, not empty. */
export const mirrorMark = "mirror";

/** The blocked ones of `members`; null when Redis has lost the set. Rejects when Redis cannot answer. */
export async function readBlocks(trip: RoundTrip, members: string[]): Promise<string[] | null> {
  const found = await trip.command<number[]>("SMISMEMBER", blocksKeys[0], mirrorMark, ...members);
  const [isMirrored, ...blocked] = found;
  return isMirrored ? members.filter((_, index) => blocked[index]) : null;
}
