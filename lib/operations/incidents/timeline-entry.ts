import * as z from "zod";

export const TimelineEntry = z.strictObject({
  at: z.iso.datetime(),
  kind: z.enum(["alert", "audit", "deployment", "note"]),
  /** An operator's name and masked e-mail address, or the name of a token; of a deployment the platform's user ID; null for automatic events. */
  who: z.string().nullable(),
  /** The operator's ID, as in the audit log. */
  actorId: z.string().nullable(),
  what: z.string(),
});

export type TimelineEntry = z.infer<typeof TimelineEntry>;
