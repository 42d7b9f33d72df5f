import { domainToASCII } from "node:url";
import * as z from "zod";
import { AppError } from "../errors.js";

const lengthMax = 254;
const localPartMax = 64;
/** Control characters, white space, lone surrogates and invisible characters (zero-width, bidi). */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}]/u;
/** The dot-string of RFC 5321; RFC 6531 allows non-ASCII characters. */
const localPartPattern = /^[^\s@.<>()[\]\\,;:"]+(\.[^\s@.<>()[\]\\,;:"]+)*$/;
/** `domainToASCII` parses the host of a URL: it would decode `%70` and drop everything after a `/`. */
const hostPattern = /^[\p{L}\p{M}\p{N}.。-]+$/u;
const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** An all-numeric last label would be an IPv4 address. */
const domainPattern = new RegExp(`^(?:${label}\\.)+(?!\\d+$)${label}$`);

/** NFKC, trimmed, lower case, the domain in ASCII (IDNA). Plus-tags are kept. Null for an invalid address. */
export function canonicalEmail(input: string): string | null {
  if (input.length > 2 * lengthMax) return null;
  const text = input.normalize("NFKC");
  // `trim` would remove this zero-width character.
  if (text.includes("\ufeff")) return null;
  const address = text.trim().toLowerCase();
  if (invisible.test(address) || address.length > lengthMax) return null;
  const parts = address.split("@");
  if (parts.length !== 2) return null;
  const [localPart = "", host = ""] = parts;
  if (localPart.length > localPartMax || !localPartPattern.test(localPart)) return null;
  const domain = hostPattern.test(host) ? domainToASCII(host) : "";
  const canonical = `${localPart}@${domain}`;
  return domainPattern.test(domain) && canonical.length <= lengthMax ? canonical : null;
}

/** For a field `email` that `validEmail` checks. */
export const EmailAddress = z
  .string()
  .min(1)
  .max(254)
  .meta({ examples: ["ada@example.com"] });

/** The canonical form of the field `email` of a body. Throws `validation_failed`. */
export function validEmail(input: string): string {
  const email = canonicalEmail(input);
  if (email !== null) return email;
  const message = "Must be an e-mail address.";
  throw new AppError("validation_failed", {
    fields: [{ pointer: "/email", code: "email_invalid", message }],
  });
}
