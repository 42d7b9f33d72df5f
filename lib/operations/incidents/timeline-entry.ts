import * as z from "zod";

export const TimelineEntry = z.strictObject({
  at: z.iso.datetime(),
  kind: z.enum(["alert", "audit", "note"]),
  /** An operator's ID; null for automatic events. */
  who: z.string().nullable(),
  what: z.string(),
});

export type TimelineEntry = z.infer<typeof TimelineEntry>;
