import { keyedHash, keyedHashes } from "../crypto/secret.js";
import type { Env } from "../env.js";

/** Expects a canonical e-mail address. A keyed hash, because it is visible in Redis keys. */
export function accountLimitKey(env: Env, email: string): string {
  return keyedHash(env, purpose, email);
}

/** Sign-ins and password resets of an address are counted separately. */
export const resetSubject = (email: string) => `reset ${email}`;

/** What counters of an address are counted by. */
export function accountLimitKeys(env: Env, email: string): string[] {
  return [email, resetSubject(email)].map((subject) => accountLimitKey(env, subject));
}

/** What security events call an address, also under earlier data keys. */
export function accountEventKeys(env: Env, email: string): string[] {
  return [email, resetSubject(email)].flatMap((subject) => keyedHashes(env, purpose, subject));
}

const purpose = "limited-account";
