import * as z from "zod";

export const Moment = z.strictObject({
  at: z.iso.datetime(),
  kind: z.enum(["alert", "audit", "note"]),
  /** An operator's ID; null for automatic events. */
  who: z.string().nullable(),
  what: z.string(),
});

export type Moment = z.infer<typeof Moment>;
