import * as z from "zod";

export const limitMax = 100;
const limitDefault = 50;

/** At most `limit` items after the position of `cursor`. */
export interface PageRequest<P> {
  limit: number;
  cursor?: P | undefined;
}

/** The query parameters of a list. A cursor is only a position, not an authorisation. */
export function pageQuery<P extends z.ZodType>(position: P) {
  return z.strictObject({
    limit: z
      .string()
      .regex(/^\d{1,3}$/)
      .meta({ description: `At most ${limitMax}; ${limitDefault} by default.`, examples: ["20"] })
      .transform(Number)
      .pipe(z.int().min(1).max(limitMax))
      .default(limitDefault),
    cursor: z
      .string()
      .max(256)
      .meta({ description: "The nextCursor of the page before." })
      .transform((text, context): z.output<P> => {
        const parsed = position.safeParse(decodeCursor(text));
        if (parsed.success) return parsed.data;
        context.addIssue({ code: "custom", message: "Invalid cursor." });
        return z.NEVER;
      })
      .optional(),
  });
}

/** `nextCursor` is null on the last page. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** `rows` must hold one row more than `limit` if there is a next page. */
export function buildPage<Row, Item, P>(
  rows: Row[],
  { limit }: PageRequest<P>,
  present: (row: Row) => Item,
  positionOf: (row: Row) => P,
): { items: Item[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  const nextCursor =
    last === undefined ? null : Buffer.from(JSON.stringify(positionOf(last))).toString("base64url");
  return { items: items.map(present), nextCursor };
}

function decodeCursor(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    return undefined;
  }
}
