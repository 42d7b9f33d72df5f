import { createHmac, createSecretKey, randomUUID } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { keyId } from "../../crypto/secret.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { memoizeByObject } from "../../memoize-by-object.js";
import { EpochMs } from "../../timestamps.js";
import { VerifiedTokens } from "./verified-tokens.js";

/** It has no role: that is read from the session. */
export interface AccessClaims {
  userId: string;
  sessionId: string;
  /** The last sign-in or reauthentication; a refresh does not renew it. */
  authenticatedAt: Date;
  /** RFC 8176: `pwd`, `otp`. */
  authMethods: string[];
  /** Set when the account had a verified address at the time of issue. */
  emailVerified?: true | undefined;
}

export interface PresentedClaims extends AccessClaims {
  isExpired: boolean;
}

/** Claims of a token whose signature is not verified. A refresh token has no user. */
export interface UnverifiedSession {
  sessionId: string;
  userId?: string;
}

const leewaySeconds = 30;

/** A JWT (`at+jwt`, RFC 9068, HS256). Signed here: WebCrypto's thread switch costs more than the HMAC. */
export function issueAccessToken(env: Env, token: AccessClaims, now: Date): string {
  const issuedAt = Math.floor(now.getTime() / 1000);
  const claims = {
    ...issuerAndAudience(env),
    sub: token.userId,
    sid: token.sessionId,
    amr: token.authMethods,
    auth_time: Math.floor(token.authenticatedAt.getTime() / 1000),
    ...(token.emailVerified && { email_verified: true }),
    jti: randomUUID(),
    iat: issuedAt,
    exp: issuedAt + env.jwt.accessTtlSeconds,
  };
  const signed = `${signingHeader(env)}.${encodeJson(claims)}`;
  return `${signed}.${createHmac("sha256", signingKey(env)).update(signed).digest("base64url")}`;
}

/** No I/O. Throws `token_expired` for a genuine token that has expired or lives too long, else `token_invalid`. */
export async function verifyAccessToken(env: Env, token: string, now: Date): Promise<AccessClaims> {
  const { isExpired, ...claims } = await verifyPresentedToken(env, token, now);
  if (isExpired) throw new AppError("token_expired");
  return claims;
}

/** The same, but an expired token is accepted. Throws `token_invalid`. */
export async function verifyPresentedToken(
  env: Env,
  token: string,
  now: Date,
): Promise<PresentedClaims> {
  const known = verifiedTokens(env).find(token, now);
  if (known) return { ...known, isExpired: false };
  try {
    const { payload, ...found } = await genuinePayload(env, token, now);
    const { claims, during } = readClaims(payload, now);
    // The lifetime was shortened since, or someone has the key: the app has to refresh.
    const isTooLong = during.untilMs - during.fromMs > env.jwt.accessTtlSeconds * 1000;
    const isExpired = found.isExpired || isTooLong;
    if (!isExpired) verifiedTokens(env).remember(token, claims, during);
    return { ...claims, isExpired };
  } catch (cause) {
    throw new AppError("token_invalid", { cause });
  }
}

/** Null when the signing secret is known or the token is malformed. Nothing is verified. */
export function decodeUnverifiedSession(env: Env, token: string): UnverifiedSession | null {
  try {
    const { kid = "" } = decodeProtectedHeader(token);
    const { sid, sub } = decodeJwt(token);
    const isKnown = [...env.jwt.previousSecrets, env.jwt.secret].some((one) => keyId(one) === kid);
    return isKnown || !isId(sid) || !isId(sub) ? null : { sessionId: sid, userId: sub };
  } catch {
    return null;
  }
}

async function genuinePayload(
  env: Env,
  token: string,
  now: Date,
): Promise<{ payload: JWTPayload; isExpired: boolean }> {
  if (!token.split(".").every(isCanonical)) throw new errors.JWTInvalid("not canonical base64url");
  const keys = await verifyingKeys(env);
  const { iss: issuer, aud: audience } = issuerAndAudience(env);
  try {
    const { payload } = await jwtVerify(
      token,
      ({ alg, typ, kid = "", ...others }) => {
        const key = keys.get(kid);
        if (!key) throw new errors.JOSEError("unknown kid");
        if (Object.keys(others).length > 0) throw new errors.JWTInvalid("unknown header");
        return key;
      },
      {
        algorithms: ["HS256"],
        typ: "at+jwt",
        issuer,
        audience,
        clockTolerance: leewaySeconds,
        currentDate: now,
        requiredClaims: ["exp", "iat", "jti", "sub"],
      },
    );
    return { payload, isExpired: false };
  } catch (error) {
    // jose checks the expiry last.
    if (error instanceof errors.JWTExpired) return { payload: error.payload, isExpired: true };
    throw error;
  }
}

/** jose also decodes other alphabets, padding and unused bits, so that one token would have many forms. */
const isCanonical = (part: string) => Buffer.from(part, "base64url").toString("base64url") === part;

function readClaims(payload: JWTPayload, now: Date) {
  const { aud, sub, sid, auth_time: authTime, amr, iat, exp } = payload;
  if (!isId(sub) || !isId(sid) || !isTime(authTime) || !isStringArray(amr) || Array.isArray(aud))
    throw new errors.JWTInvalid("a claim is wrong");
  const isInTime =
    isTime(iat) && isTime(exp) && iat <= exp && iat <= now.getTime() / 1000 + leewaySeconds;
  if (!isInTime) throw new errors.JWTInvalid("the lifetime is wrong");
  const claims: AccessClaims = {
    userId: sub,
    sessionId: sid,
    authenticatedAt: new Date(authTime * 1000),
    authMethods: amr,
    ...(payload.email_verified === true && { emailVerified: true }),
  };
  return { claims, during: { fromMs: iat * 1000, untilMs: exp * 1000 } };
}

/** The IDs are used in Redis keys and SQL parameters. */
function isId(claim: unknown): claim is string {
  return typeof claim === "string" && /^[\w-]{1,64}$/.test(claim);
}

function isTime(claim: unknown): claim is number {
  return Number.isInteger(claim) && EpochMs.safeParse(Number(claim) * 1000).success;
}

function isStringArray(claim: unknown): claim is string[] {
  return Array.isArray(claim) && claim.every((method) => typeof method === "string");
}

const verifiedTokens = memoizeByObject((_: Env) => new VerifiedTokens<AccessClaims>());

/** A token of one deployment environment is invalid in another. */
const issuerAndAudience = memoizeByObject(({ jwt }: Env) => ({
  iss: `linguamate-api/${jwt.environment}`,
  aud: `linguamate-app/${jwt.environment}`,
}));

const encodeJson = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

const signingHeader = memoizeByObject(({ jwt }: Env) =>
  encodeJson({ alg: "HS256", kid: keyId(jwt.secret), typ: "at+jwt" }),
);

const signingKey = memoizeByObject(({ jwt }: Env) => createSecretKey(jwt.secret, "utf8"));

const verifyingKeys = memoizeByObject(async ({ jwt }: Env) => {
  const keys = new Map<string, HmacKey>();
  for (const secret of [...jwt.previousSecrets, jwt.secret]) {
    keys.set(keyId(secret), await hmacKey(secret));
  }
  return keys;
});

type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

function hmacKey(secret: string): Promise<HmacKey> {
  const bytes = new TextEncoder().encode(secret);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
}
