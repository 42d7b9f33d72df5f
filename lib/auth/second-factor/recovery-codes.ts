import { createHmac } from "node:crypto";
import { crockford, readCrockford } from "../../crypto/crockford.js";
import { dataKey, namedHashes } from "../../crypto/secret.js";
import type { Env } from "../../env.js";

const codesInSet = 10;
/** 80 bits: beyond guessing, even for somebody who has the hashes and the key. */
const codeBytes = 10;

/**
 * The ten recovery codes of a set: `XXXX-XXXX-XXXX-XXXX`, derived from the set's random id under the
 * data key. The id is kept nowhere but with an Idempotency-Key, by which a lost reply is made again.
 */
export function recoveryCodesOf(env: Env, setId: string): string[] {
  const key = dataKey(env, "recovery-code-set");
  return Array.from({ length: codesInSet }, (_, index) => {
    const bytes = createHmac("sha256", key).update(`${setId}:${index}`).digest();
    return crockford(bytes.subarray(0, codeBytes)).replace(/.{4}(?=.)/g, "$&-");
  });
}

/** The hash that is stored of a code. */
export function recoveryCodeHash(env: Env, code: string): string {
  const [current = ""] = recoveryCodeHashes(env, code);
  return current;
}

/** The hashes, one for each data key, that may be stored of what somebody typed; none when it is no code. */
export function recoveryCodeHashes(env: Env, typed: string): string[] {
  const plain = readCrockford(typed);
  return /^[0-9A-Z]{16}$/.test(plain) ? namedHashes(env, "recovery-code", plain) : [];
}
