import { createHmac } from "node:crypto";
import { normalizePastedToken } from "../crypto/pasted-code.js";
import { dataKey, dataKeys, equalSecrets } from "../crypto/secret.js";
import type { Env } from "../env.js";

const tokenPattern = /^ue1\.([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\.([\w-]{43})$/;

/** `ue1.<id of the change>.<mac>`. Computed, never stored. */
export function undoToken(env: Env, id: string): string {
  return `ue1.${id}.${mac(dataKey(env, purpose), id)}`;
}

/** The id of the change, or null for an invalid token; does not check the expiry. May be pasted from a mail. Tokens from before a key rotation are valid. No I/O. */
export function verifyUndoToken(env: Env, token: string): string | null {
  const [, id = "", presentedMac = ""] = tokenPattern.exec(normalizePastedToken(token)) ?? [];
  const isOurs = dataKeys(env, purpose).some(({ key }) => equalSecrets(presentedMac, mac(key, id)));
  return isOurs ? id : null;
}

const purpose = "undo-email-change";
const mac = (key: Buffer, id: string) =>
  createHmac("sha256", key).update(`ue1.${id}`).digest("base64url");
