/** Crockford's base 32: no I, L, O or U, which are taken for others when they are typed. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Bytes in Crockford's base 32, five bits a character; their number must be a multiple of five. */
export function crockford(bytes: Uint8Array): string {
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

/** What somebody typed, as `crockford` writes it: case, spaces, hyphens and look-alikes do not matter. */
export function readCrockford(typed: string): string {
  return typed.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
}
