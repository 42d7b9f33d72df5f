import { keyedHash, keyedHashes } from "../crypto/secret.js";
import type { Env } from "../env.js";

/** For budgets and suppressions; expects a canonical address. */
export function addressHash(env: Env, email: string): string {
  return keyedHash(env, "mail-address", email);
}

/** One per data key, for rows from before a key rotation. */
export function addressHashes(env: Env, email: string): string[] {
  return keyedHashes(env, "mail-address", email);
}
