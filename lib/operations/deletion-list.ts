import * as z from "zod";

export const Deletions = z
  .strictObject({
    /** The next 100 to be erased. */
    pending: z.array(
      z.strictObject({ userId: z.uuid(), purgeAt: z.iso.datetime(), isOverdue: z.boolean() }),
    ),
    /** The 20 newest receipts. */
    erased: z.array(z.strictObject({ userId: z.uuid(), erasedAt: z.iso.datetime() })),
    counts: z.strictObject({ pending: z.int(), overdue: z.int(), erased: z.int() }),
  })
  .meta({ id: "Deletions" });
export type Deletions = z.infer<typeof Deletions>;
