import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Env } from "../env.js";
import { dataKeys } from "./secret.js";

export interface SealContext {
  purpose: string;
  owner: string;
}

const version = "s1";
const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM with a random nonce (NIST SP 800-38D): `s1.<key id>.<nonce, ciphertext, tag>`. */
export function seal(env: Env, { purpose, owner }: SealContext, text: string): string {
  const [current] = dataKeys(env, purpose);
  if (!current) throw new Error("No data key is configured.");
  const nonce = randomBytes(nonceBytes);
  const encryption = createCipheriv(cipher, current.key, nonce).setAAD(Buffer.from(owner));
  const parts = [nonce, encryption.update(text, "utf8"), encryption.final()];
  const sealed = Buffer.concat([...parts, encryption.getAuthTag()]).toString("base64url");
  return `${version}.${current.id}.${sealed}`;
}

/** Throws for an unknown key or format, another purpose or owner, and altered data. */
export function unseal(env: Env, { purpose, owner }: SealContext, sealed: string): string {
  const [format = "", id = "", content = ""] = sealed.split(".");
  if (format !== version) throw new Error("The encrypted value has an unknown format.");
  const known = dataKeys(env, purpose).find((candidate) => candidate.id === id);
  if (!known)
    throw new Error(`The value is encrypted with the data key ${id}, which is not configured.`);
  const bytes = Buffer.from(content, "base64url");
  if (bytes.length < nonceBytes + tagBytes) throw new Error("The encrypted value is truncated.");
  const decryption = createDecipheriv(cipher, known.key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
    .setAAD(Buffer.from(owner))
    .setAuthTag(bytes.subarray(-tagBytes));
  const text = decryption.update(bytes.subarray(nonceBytes, -tagBytes));
  return Buffer.concat([text, decryption.final()]).toString("utf8");
}

export function isSealedWithCurrentKey(
  env: Env,
  { purpose }: SealContext,
  sealed: string,
): boolean {
  return sealed.startsWith(`${version}.${dataKeys(env, purpose)[0]?.id}.`);
}
