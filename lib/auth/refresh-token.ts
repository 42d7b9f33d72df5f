import { createHmac } from "node:crypto";
import type { Env } from "../env.js";
import { oncePer } from "../once-per.js";
import { deriveKey, keyId } from "../secret.js";

/**
 * The refresh token of a session at one value of its counter: `rt1.<kid>.<sid>.<counter>.<mac>`, the
 * mac over the four parts before it. It is computed, never stored: nothing in the database can be
 * replayed as a token.
 */
export function issueRefreshToken(env: Env, sessionId: string, counter: number): string {
  const { kid, key } = signing(env);
  const signed = `rt1.${kid}.${sessionId}.${counter}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

const signing = oncePer(({ jwt }: Env) => ({
  kid: keyId(jwt.secret),
  key: deriveKey(jwt.secret, "refresh-token"),
}));
