import type { Answer, RoundTrip } from "./round-trip.js";

/** The set of blocked members, and the hash of the versions of flags and blocks. */
export const blocksKeys = ["blocks", "mirror:versions"] as const;

/** Blocks and flags that a restored Postgres was written over: `restore finish` names them. */
export const replacedKeys = ["blocks:replaced", "flags:replaced"] as const;

/** Always a member of the set: without it the set was lost, not empty. */
export const mirrorMark = "mirror";

/** The blocked ones of `members`; null when Redis has lost the set. */
export function readBlocks(trip: RoundTrip, members: string[]): Answer<string[] | null> {
  const found = trip.ask<number[]>("SMISMEMBER", blocksKeys[0], mirrorMark, ...members);
  return () => {
    const [isMirrored, ...blocked] = found();
    return isMirrored ? members.filter((_, index) => blocked[index]) : null;
  };
}
