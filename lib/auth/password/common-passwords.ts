import { brotliDecompressSync } from "node:zlib";
import { packedPasswords } from "./common-passwords-list.js";

/** Of the 10,000 most common passwords of at least 8 characters. Source: OWASP ASVS 5.0, 6.2.4. */
export function isCommonPassword(password: string): boolean {
  common ??= new Set(decompress().split("\n"));
  return common.has(password.normalize("NFC").toLowerCase());
}

let common: Set<string> | undefined;

function decompress(): string {
  return brotliDecompressSync(Buffer.from(packedPasswords, "base64")).toString();
}
