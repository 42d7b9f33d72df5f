import { createHmac } from "node:crypto";
import { encodeCrockford, normalizeCrockford } from "../../crypto/crockford.js";
import { dataKey, hashesWithKeyId } from "../../crypto/secret.js";
import type { Env } from "../../env.js";

const codesInSet = 10;
/** 80 bits: cannot be guessed even with the hashes and the key. */
const codeBytes = 10;

/** Ten codes `XXXX-XXXX-XXXX-XXXX`, derived from a random id that is stored only with an Idempotency-Key. */
export function recoveryCodesOf(env: Env, setId: string): string[] {
  const key = dataKey(env, "recovery-code-set");
  return Array.from({ length: codesInSet }, (_, index) => {
    const bytes = createHmac("sha256", key).update(`${setId}:${index}`).digest();
    return encodeCrockford(bytes.subarray(0, codeBytes)).replace(/.{4}(?=.)/g, "$&-");
  });
}

export function recoveryCodeHash(env: Env, code: string): string {
  const [current = ""] = recoveryCodeHashes(env, code);
  return current;
}

/** One `<key id>.<hash>` per data key; empty for malformed input. */
export function recoveryCodeHashes(env: Env, typed: string): string[] {
  const plain = normalizeCrockford(typed);
  return /^[0-9A-Z]{16}$/.test(plain) ? hashesWithKeyId(env, "recovery-code", plain) : [];
}
