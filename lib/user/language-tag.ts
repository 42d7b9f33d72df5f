import * as z from "zod";

/** RFC 5646 has registered no language of more letters: what has them is a name, such as `Spanish`. */
const languageForm = /^[a-z]{2,3}(-|$)/;

/** A BCP 47 tag, canonicalised: `en-us` becomes `en-US`. */
export const LanguageTag = z
  .string()
  .max(35)
  .meta({ examples: ["es"] })
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

/** An IANA time zone, such as `Europe/Madrid`; `europe/madrid` is the same one, and becomes it. */
export const TimeZone = z
  .string()
  .max(64)
  .meta({ examples: ["Europe/Madrid"] })
  .transform((zone, context) => {
    const canonical = zoneNamed(zone);
    if (canonical !== null) return canonical;
    context.addIssue({ code: "custom", message: "Not an IANA time zone." });
    return z.NEVER;
  });

function zoneNamed(name: string): string | null {
  // What begins like this is an offset.
  if (/^[+-]/.test(name)) return null;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    // A zone of several names keeps the one that was given: which of them stands for all has changed.
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return null;
  }
}
