import * as z from "zod";

const limitMax = 100;
const limitByDefault = 50;

/** What one call of a list asks for: at most `limit` items, those after the position of `cursor`. */
export interface PageRequest<P> {
  limit: number;
  cursor?: P | undefined;
}

/**
 * The query of a list: `limit`, and the `nextCursor` of the page before. A cursor says where in the
 * list its page ended and grants nothing: the list is filtered as if there were none.
 */
export function pageQuery<P extends z.ZodType>(position: P) {
  return z.strictObject({
    limit: z
      .string()
      .regex(/^\d{1,3}$/)
      .meta({ description: `At most ${limitMax}; ${limitByDefault} by default.`, examples: ["20"] })
      .transform(Number)
      .pipe(z.int().min(1).max(limitMax))
      .default(limitByDefault),
    cursor: z
      .string()
      .max(256)
      .meta({ description: "The nextCursor of the page before." })
      .transform((text, context): z.output<P> => {
        const parsed = position.safeParse(decoded(text));
        if (parsed.success) return parsed.data;
        context.addIssue({ code: "custom", message: "Not a cursor of this list." });
        return z.NEVER;
      })
      .optional(),
  });
}

/** The body of a list's reply. `nextCursor` is null on the last page. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** The page that `rows` make, of which one more than `limit` was asked for, to know if there are more. */
export function page<Row, Item, P>(
  rows: Row[],
  { limit }: PageRequest<P>,
  present: (row: Row) => Item,
  positionOf: (row: Row) => P,
): { items: Item[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const nextCursor =
    last === undefined ? null : Buffer.from(JSON.stringify(positionOf(last))).toString("base64url");
  return { items: shown.map(present), nextCursor };
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    return undefined;
  }
}
