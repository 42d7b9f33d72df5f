import { createHmac } from "node:crypto";
import { encodeCrockford, normalizeCrockford } from "../crypto/crockford.js";
import { dataKey, dataKeys, equalSecrets } from "../crypto/secret.js";
import type { Env } from "../env.js";

const codeBytes = 5;

/** 8 characters (40 bits), derived from the id of the `mail_codes` row under the data key and never stored. */
export function mailCode(env: Env, id: string): string {
  return codeUnder(dataKey(env, "mail-code"), id);
}

/** Ignores case, look-alikes, the expiry and what `normalizePastedCode` removes. Codes from before a key rotation match too. */
export function isMailCode(env: Env, id: string, typed: string): boolean {
  const plain = normalizeCrockford(typed);
  return dataKeys(env, "mail-code").some(({ key }) => equalSecrets(plain, codeUnder(key, id)));
}

const codeUnder = (key: Buffer, id: string) =>
  encodeCrockford(createHmac("sha256", key).update(id).digest().subarray(0, codeBytes));
