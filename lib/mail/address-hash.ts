import { keyedHash, keyedHashes } from "../crypto/secret.js";
import type { Env } from "../env.js";

/** What stands for a canonical address where mails are counted and suppressed. */
export function addressHash(env: Env, email: string): string {
  return keyedHash(env, "mail-address", email);
}

/** The same under each data key: what stood for the address before a rotation still does. */
export function addressHashes(env: Env, email: string): string[] {
  return keyedHashes(env, "mail-address", email);
}
