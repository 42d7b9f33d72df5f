import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Env } from "../env.js";
import { oncePer } from "../once-per.js";

/**
 * A key of 32 bytes derived from a secret for one purpose (RFC 5869, HKDF-SHA256), so that a value
 * made under one purpose never verifies under another.
 */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `linguamate:${purpose}`, 32));
}

/** A short public name of a secret, for `kid`: it tells secrets apart and reveals nothing of them. */
export function keyId(secret: string): string {
  return deriveKey(secret, "kid").toString("base64url").slice(0, 8);
}

/** A key for one purpose, with the public name of the secret it was derived from. */
export interface DataKey {
  id: string;
  key: Buffer;
}

/**
 * The keys for one purpose under the data keys, which outlive a change of JWT_SECRET: the first makes
 * what is new, the others recognise what was made before a rotation.
 */
export function dataKeys(env: Env, purpose: string): DataKey[] {
  const derived = derivedDataKeys(env);
  const known = derived.get(purpose);
  if (known) return known;
  const keys = env.dataKeys.map((secret) => ({
    id: keyId(secret),
    key: deriveKey(secret, purpose),
  }));
  derived.set(purpose, keys);
  return keys;
}

/** The key for one purpose under the current data key. */
export function dataKey(env: Env, purpose: string): Buffer {
  const [current] = dataKeys(env, purpose);
  if (!current) throw new Error("There is no data key.");
  return current.key;
}

/** A value's hash that nobody can compute without the data key; 22 characters, base64url. */
export function keyedHash(env: Env, purpose: string, value: string): string {
  return hashUnder(dataKey(env, purpose), value);
}

/** The value's hash under each data key: the first is what `keyedHash` makes now. */
export function keyedHashes(env: Env, purpose: string, value: string): string[] {
  return dataKeys(env, purpose).map(({ key }) => hashUnder(key, value));
}

/** The value's hash under each data key, as `<key id>.<hash>`: the first is the one to store. */
export function namedHashes(env: Env, purpose: string, value: string): string[] {
  return dataKeys(env, purpose).map(({ id, key }) => `${id}.${hashUnder(key, value)}`);
}

/** Compare in a time that tells nothing. An unset expectation equals nothing. */
export function equalSecrets(given: string, expected: string | undefined): boolean {
  if (!expected) return false;
  // Digests have one length, which the comparison needs.
  return timingSafeEqual(digest(given), digest(expected));
}

const derivedDataKeys = oncePer((_: Env) => new Map<string, DataKey[]>());
const hashUnder = (key: Buffer, value: string) =>
  createHmac("sha256", key).update(value).digest("base64url").slice(0, 22);
const digest = (text: string) => createHmac("sha256", "compared").update(text).digest();
