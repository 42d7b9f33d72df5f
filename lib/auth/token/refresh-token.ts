import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { deriveKey, keyId } from "../../crypto/secret.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { oncePer } from "../../once-per.js";
import type { UnprovenSession } from "./access-token.js";

/** What a genuine refresh token names. */
export interface RefreshClaims {
  sessionId: string;
  counter: number;
}

/** A counter of up to nine digits fits Postgres's integer; nobody refreshes that often. */
const form = /^rt1\.([\w-]{8})\.([\w-]{22})\.(0|[1-9]\d{0,8})\.([\w-]{43})$/;

/**
 * The refresh token of a session at one value of its counter: `rt1.<kid>.<sid>.<counter>.<mac>`, the
 * mac over the four parts before it. It is computed, never stored: nothing in the database can be
 * replayed as a token.
 */
export function issueRefreshToken(env: Env, { sessionId, counter }: RefreshClaims): string {
  const { signing } = keys(env);
  const signed = `rt1.${signing.kid}.${sessionId}.${counter}`;
  return `${signed}.${mac(signing.key, signed)}`;
}

/** Read a refresh token without any I/O. Throws `token_invalid` unless we issued exactly this text. */
export function verifyRefreshToken(env: Env, token: string): RefreshClaims {
  const [, kid = "", sessionId = "", counter = "", shown = ""] = form.exec(token) ?? [];
  const key = keys(env).byId.get(kid);
  const signed = token.slice(0, token.lastIndexOf("."));
  if (!key || !isMac(shown, key, signed)) throw new AppError("token_invalid");
  return { sessionId, counter: Number(counter) };
}

/** What `unprovenSession` says of an access token. */
export function unprovenRefreshSession(env: Env, token: string): UnprovenSession | null {
  const [, kid = "", sessionId] = form.exec(token) ?? [];
  return sessionId === undefined || keys(env).byId.has(kid) ? null : { sessionId };
}

/** `shown` has the length of a mac, as its form says. */
const isMac = (shown: string, key: KeyObject, signed: string) =>
  timingSafeEqual(Buffer.from(shown), Buffer.from(mac(key, signed)));

const mac = (key: KeyObject, text: string) =>
  createHmac("sha256", key).update(text).digest("base64url");

const keys = oncePer(({ jwt }: Env) => {
  const keyOf = (secret: string) => createSecretKey(deriveKey(secret, "refresh-token"));
  const secrets = [...jwt.previousSecrets, jwt.secret];
  return {
    byId: new Map(secrets.map((secret) => [keyId(secret), keyOf(secret)])),
    signing: { kid: keyId(jwt.secret), key: keyOf(jwt.secret) },
  };
});
