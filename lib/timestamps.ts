import * as z from "zod";

const endMs = Date.parse("9999-12-31T23:59:59.999Z");

/** A moment in ms since the epoch, of those that Postgres and ISO 8601 can both write. */
export const MomentMs = z.int().min(0).max(endMs);

/** A moment as it stands in a query: ISO 8601 with an offset, not before 1970. */
export const Since = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0, "Nothing is older than 1970.");
