import * as z from "zod";

/** RFC 5646 has registered no language of more letters: what has them is a name, such as `Spanish`. */
const languageForm = /^[a-z]{2,3}(-|$)/;

/** A BCP 47 tag, canonicalised: `en-us` becomes `en-US`. */
export const LanguageTag = z
  .string()
  .max(35)
  .transform((tag, context) => {
    try {
      const [canonical] = Intl.getCanonicalLocales(tag);
      if (canonical && languageForm.test(canonical)) return canonical;
    } catch {
      // Intl refuses what is no tag by throwing.
    }
    context.addIssue({ code: "custom", message: "Not a BCP 47 language tag." });
    return z.NEVER;
  });

/** An IANA time zone, such as `Europe/Madrid`. */
export const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, { message: "Not an IANA time zone." });

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return !/^[+-]/.test(zone);
  } catch {
    return false;
  }
}
