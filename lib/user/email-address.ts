import { domainToASCII } from "node:url";

const lengthMax = 254;
const localPartMax = 64;
/** Control characters, white space, halves of pairs, and what shows nothing (zero-width, bidi, …). */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}]/u;
/** RFC 5321's dot-string; each part may hold what is beyond ASCII (RFC 6531). */
const localPartForm = /^[^\s@.<>()[\]\\,;:"]+(\.[^\s@.<>()[\]\\,;:"]+)*$/;
/** The conversion to ASCII reads a whole URL's host: it decodes `%70` and drops what follows a `/`. */
const hostForm = /^[\p{L}\p{M}\p{N}.。-]+$/u;
const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** A last label of digits alone would be an IPv4 address. */
const domainForm = new RegExp(`^(?:${label}\\.)+(?!\\d+$)${label}$`);

/**
 * The canonical form of an e-mail address, by which accounts are found: NFKC, trimmed, lower-case, the
 * domain in IDNA's ASCII form. Plus-tags are kept. Null when it is no address.
 */
export function canonicalEmail(input: string): string | null {
  if (input.length > 2 * lengthMax) return null;
  const address = input.normalize("NFKC").trim().toLowerCase();
  if (unseen.test(address) || address.length > lengthMax) return null;
  const parts = address.split("@");
  if (parts.length !== 2) return null;
  const [localPart = "", host = ""] = parts;
  if (localPart.length > localPartMax || !localPartForm.test(localPart)) return null;
  const domain = hostForm.test(host) ? domainToASCII(host) : "";
  const canonical = `${localPart}@${domain}`;
  return domainForm.test(domain) && canonical.length <= lengthMax ? canonical : null;
}
