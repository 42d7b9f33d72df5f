import type { Answer, RoundTrip } from "./round-trip.js";

/** The hash of the replies of the catalogue, with the revision of the content that they show. */
export const contentKey = "content";

/** Null when Redis does not hold it. */
export function readCached(trip: RoundTrip, name: string): Answer<string | null> {
  return trip.ask("HGET", contentKey, name);
}
