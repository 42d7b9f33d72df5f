import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { deriveKey, keyId } from "../../crypto/secret.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { memoizeByObject } from "../../memoize-by-object.js";
import type { UnverifiedSession } from "./access-token.js";

export interface RefreshClaims {
  sessionId: string;
  counter: number;
}

/** Nine digits fit into a Postgres integer. */
const tokenPattern = /^rt1\.([\w-]{8})\.([\w-]{22})\.(0|[1-9]\d{0,8})\.([\w-]{43})$/;

/** `rt1.<kid>.<sid>.<counter>.<mac>`. Computed, never stored: nothing in the database can be replayed. */
export function issueRefreshToken(env: Env, { sessionId, counter }: RefreshClaims): string {
  const { signing } = keys(env);
  const signed = `rt1.${signing.kid}.${sessionId}.${counter}`;
  return `${signed}.${mac(signing.key, signed)}`;
}

/** No I/O. Throws `token_invalid`. */
export function verifyRefreshToken(env: Env, token: string): RefreshClaims {
  const [, kid = "", sessionId = "", counter = "", presentedMac = ""] =
    tokenPattern.exec(token) ?? [];
  const key = keys(env).byId.get(kid);
  const signed = token.slice(0, token.lastIndexOf("."));
  if (!key || !isMac(presentedMac, key, signed)) throw new AppError("token_invalid");
  return { sessionId, counter: Number(counter) };
}

export function decodeUnverifiedRefreshSession(env: Env, token: string): UnverifiedSession | null {
  const [, kid = "", sessionId] = tokenPattern.exec(token) ?? [];
  return sessionId === undefined || keys(env).byId.has(kid) ? null : { sessionId };
}

const isMac = (presentedMac: string, key: KeyObject, signed: string) =>
  timingSafeEqual(Buffer.from(presentedMac), Buffer.from(mac(key, signed)));

const mac = (key: KeyObject, text: string) =>
  createHmac("sha256", key).update(text).digest("base64url");

const keys = memoizeByObject(({ jwt }: Env) => {
  const keyOf = (secret: string) => createSecretKey(deriveKey(secret, "refresh-token"));
  const secrets = [...jwt.previousSecrets, jwt.secret];
  return {
    byId: new Map(secrets.map((secret) => [keyId(secret), keyOf(secret)])),
    signing: { kid: keyId(jwt.secret), key: keyOf(jwt.secret) },
  };
});
