import { domainToASCII } from "node:url";

const lengthMax = 254;
const localPartMax = 64;
/** Control characters, white space, and those that show nothing (zero-width, bidi, soft hyphen). */
const unseen = /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u;

/**
 * The canonical form of an e-mail address, by which accounts are found: NFKC, trimmed, lower-case, the
 * domain in IDNA's ASCII form. Plus-tags are kept. Null when it is no address.
 */
export function canonicalEmail(input: string): string | null {
  const address = input.normalize("NFKC").trim().toLowerCase();
  if (unseen.test(address) || address.length > lengthMax) return null;
  const parts = address.split("@");
  if (parts.length !== 2) return null;
  const [localPart = "", host = ""] = parts;
  const domain = domainToASCII(host);
  if (localPart === "" || localPart.length > localPartMax || /[<>()[\]\\,;:"]/.test(localPart)) {
    return null;
  }
  if (!/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/.test(domain)) return null;
  const canonical = `${localPart}@${domain}`;
  return canonical.length > lengthMax ? null : canonical;
}
