import { hkdfSync } from "node:crypto";

/**
 * A key of 32 bytes derived from a secret for one purpose (RFC 5869, HKDF-SHA256), so that a value
 * made under one purpose never verifies under another.
 */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `linguamate:${purpose}`, 32));
}

/** A short public name of a secret, for `kid`: it tells secrets apart and reveals nothing of them. */
export function keyId(secret: string): string {
  return deriveKey(secret, "kid").toString("base64url").slice(0, 8);
}
