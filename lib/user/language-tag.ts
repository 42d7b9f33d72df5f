import * as z from "zod";

/** RFC 5646 has no registered language with more letters; longer words are names, such as `Spanish`. */
const languagePattern = /^[a-z]{2,3}(-|$)/;

/** BCP 47, canonicalised: `en-us` becomes `en-US`. */
export const LanguageTag = z
  .string()
  .max(35)
  .meta({ examples: ["es"] })
  .transform((tag, context) => {
    try {
      const [canonical] = Intl.getCanonicalLocales(tag);
      if (canonical && languagePattern.test(canonical)) return canonical;
    } catch {}
    context.addIssue({ code: "custom", message: "Must be a BCP 47 language tag." });
    return z.NEVER;
  });

/** An IANA name: `europe/madrid` becomes `Europe/Madrid`; an alias stays as typed. */
export const TimeZone = z
  .string()
  .max(64)
  .meta({ examples: ["Europe/Madrid"] })
  .transform((zone, context) => {
    const canonical = canonicalTimeZone(zone);
    if (canonical !== null) return canonical;
    context.addIssue({ code: "custom", message: "Must be an IANA time zone." });
    return z.NEVER;
  });

function canonicalTimeZone(name: string): string | null {
  if (/^[+-]/.test(name)) return null;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    // Keep an alias as given: which name is the primary one differs between releases of tzdata.
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return null;
  }
}
