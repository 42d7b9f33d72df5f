import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Env } from "../env.js";
import { memoizeByObject } from "../memoize-by-object.js";

/** HKDF-SHA256 (RFC 5869), 32 bytes; `purpose` separates the uses of one secret. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `linguamate:${purpose}`, 32));
}

export function keyId(secret: string): string {
  return deriveKey(secret, "kid").toString("base64url").slice(0, 8);
}

export interface DataKey {
  id: string;
  key: Buffer;
}

/** The first key is for new values, the others are for values from before a key rotation. */
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

export function dataKey(env: Env, purpose: string): Buffer {
  const [current] = dataKeys(env, purpose);
  if (!current) throw new Error("No data key is configured.");
  return current.key;
}

/** HMAC-SHA256 under the current data key, cut to 22 base64url characters. */
export function keyedHash(env: Env, purpose: string, value: string): string {
  return hashUnder(dataKey(env, purpose), value);
}

export function keyedHashes(env: Env, purpose: string, value: string): string[] {
  return dataKeys(env, purpose).map(({ key }) => hashUnder(key, value));
}

/** `<key id>.<hash>` for each data key; store the first. */
export function hashesWithKeyId(env: Env, purpose: string, value: string): string[] {
  return dataKeys(env, purpose).map(({ id, key }) => `${id}.${hashUnder(key, value)}`);
}

/** Constant time. An unset expectation never matches. */
export function equalSecrets(given: string, expected: string | undefined): boolean {
  if (!expected) return false;
  return timingSafeEqual(digest(given), digest(expected));
}

const derivedDataKeys = memoizeByObject((_: Env) => new Map<string, DataKey[]>());
const hashUnder = (key: Buffer, value: string) =>
  createHmac("sha256", key).update(value).digest("base64url").slice(0, 22);
const digest = (text: string) => createHmac("sha256", "compared").update(text).digest();
