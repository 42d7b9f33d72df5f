import { keyedHash } from "../crypto/secret.js";
import type { Env } from "../env.js";

/** What an account is limited by, from the canonical form of its address: it shows in Redis keys. */
export function limitedAccount(env: Env, email: string): string {
  return keyedHash(env, "limited-account", email);
}
