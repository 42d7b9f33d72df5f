import * as z from "zod";

export const Moment = z.strictObject({
  at: z.iso.datetime(),
  kind: z.enum(["alert", "audit", "note"]),
  /** An operator's id; null for what nobody did by hand. */
  who: z.string().nullable(),
  what: z.string(),
});

export type Moment = z.infer<typeof Moment>;
