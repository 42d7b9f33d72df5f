import { createHmac } from "node:crypto";
import { normalizePastedToken } from "../crypto/pasted-code.js";
import { dataKey, dataKeys, equalSecrets } from "../crypto/secret.js";
import type { Env } from "../env.js";

export interface MailedToken {
  /** Computed from the ID of what it acts on, never stored. */
  issue(env: Env, id: string): string;
  /** That ID, or null for an invalid token; does not check the expiry. May be pasted from a mail. Tokens from before a key rotation are valid. No I/O. */
  verify(env: Env, token: string): string | null;
}

/** `<prefix>.<id>.<mac>`. */
export function mailedToken(prefix: string, purpose: string): MailedToken {
  const pattern = new RegExp(
    String.raw`^${prefix}\.([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\.([\w-]{43})$`,
  );
  const mac = (key: Buffer, id: string) =>
    createHmac("sha256", key).update(`${prefix}.${id}`).digest("base64url");
  return {
    issue: (env, id) => `${prefix}.${id}.${mac(dataKey(env, purpose), id)}`,
    verify(env, token) {
      const [, id = "", presented = ""] = pattern.exec(normalizePastedToken(token)) ?? [];
      const isOurs = dataKeys(env, purpose).some(({ key }) =>
        equalSecrets(presented, mac(key, id)),
      );
      return isOurs ? id : null;
    },
  };
}
