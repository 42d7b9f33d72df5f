import { keyedHash } from "../crypto/secret.js";
import type { Env } from "../env.js";

/** Expects a canonical e-mail address. A keyed hash, because it is visible in Redis keys. */
export function accountLimitKey(env: Env, email: string): string {
  return keyedHash(env, "limited-account", email);
}
