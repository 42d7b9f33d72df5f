import { createHmac } from "node:crypto";
import { dataKey, dataKeys, equalSecrets } from "../crypto/secret.js";
import type { Env } from "../env.js";

const form = /^ue1\.([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\.([\w-]{43})$/;

/**
 * What takes a change of e-mail back: `ue1.<id>.<mac>`, mailed to the old address. `id` is that of the
 * change, which alone knows whether it can still be undone; the token is computed, never stored.
 */
export function undoToken(env: Env, id: string): string {
  return `ue1.${id}.${mac(dataKey(env, purpose), id)}`;
}

/**
 * The id of the change that a token undoes; null unless we made exactly this text, be it before the data
 * key was changed. No I/O.
 */
export function verifyUndoToken(env: Env, token: string): string | null {
  const [, id = "", shown = ""] = form.exec(token) ?? [];
  const isOurs = dataKeys(env, purpose).some(({ key }) => equalSecrets(shown, mac(key, id)));
  return isOurs ? id : null;
}

const purpose = "undo-email-change";
const mac = (key: Buffer, id: string) =>
  createHmac("sha256", key).update(`ue1.${id}`).digest("base64url");
