import * as z from "zod";
import { type PageRequest, pageQuery, pageSchema } from "../page.js";
import { languageNames, rightToLeft } from "./language-names.js";

const Language = z
  .strictObject({
    /** BCP 47. */
    tag: z.string().max(35),
    name: z.string().max(80),
    nativeName: z.string().max(80),
    direction: z.enum(["ltr", "rtl"]),
  })
  .meta({ id: "Language" });
type Language = z.infer<typeof Language>;

export const LanguagePage = pageSchema(Language);
export type LanguagePage = z.infer<typeof LanguagePage>;

export const LanguageSearch = pageQuery(z.int().min(0)).extend({
  search: z
    .string()
    .max(80)
    .meta({ description: "A tag, or part of a name; case and accents are ignored." })
    .optional(),
});

const languages = languageNames.map(([tag, name, nativeName]): Language & { texts: string[] } => ({
  tag,
  name,
  nativeName,
  direction: rightToLeft.has(tag) ? "rtl" : "ltr",
  texts: [name, nativeName].map(folded),
}));

/** By English name. A search finds the exact tag first, then names that begin with it, then names that contain it. */
export function findLanguages({
  search = "",
  limit,
  cursor = 0,
}: PageRequest<number> & { search?: string | undefined }): LanguagePage {
  const sought = folded(search.trim());
  const tests: ((one: (typeof languages)[number]) => boolean)[] = [
    ({ tag }) => tag.toLowerCase() === sought,
    ({ texts }) => texts.some((text) => text.startsWith(sought)),
    ({ texts }) => texts.some((text) => text.includes(sought)),
  ];
  const found = new Set(tests.flatMap((test) => languages.filter(test)));
  const items = [...found]
    .slice(cursor, cursor + limit)
    .map(({ texts: _, ...language }): Language => language);
  const next = cursor + limit;
  return { items, nextCursor: next < found.size ? cursorOf(next) : null };
}

/** Without accents: `espanol` finds Español. */
function folded(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

const cursorOf = (position: number) => Buffer.from(JSON.stringify(position)).toString("base64url");
