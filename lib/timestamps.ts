import * as z from "zod";

const endMs = Date.parse("9999-12-31T23:59:59.999Z");

/** Milliseconds since the epoch, within the range of Postgres and ISO 8601. */
export const EpochMs = z.int().min(0).max(endMs);

export const SinceParam = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0, "The time must not be before 1970.");
