import { normalizePastedCode } from "./pasted-code.js";

/** Base 32 without I, L, O and U, which are easily misread. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Eight characters for five bytes; drops the bytes after the last full five. */
export function encodeCrockford(bytes: Uint8Array): string {
  let text = "";
  let bits = 0n;
  for (const [at, byte] of bytes.entries()) {
    bits = (bits << 8n) | BigInt(byte);
    if (at % 5 !== 4) continue;
    for (let shift = 35n; shift >= 0n; shift -= 5n) text += alphabet[Number((bits >> shift) & 31n)];
    bits = 0n;
  }
  return text;
}

export function normalizeCrockford(typed: string): string {
  return normalizePastedCode(typed).toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");
}
