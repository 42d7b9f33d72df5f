import { randomUUID } from "node:crypto";
import { errors, type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";
import { oncePer } from "../once-per.js";
import { keyId } from "../secret.js";
import { VerifiedTokens } from "./verified-tokens.js";

/** What a verified access token says. It carries no role: that is read from the session. */
export interface AccessClaims {
  userId: string;
  sessionId: string;
  authenticatedAt: Date;
}

interface NewAccessToken extends AccessClaims {
  authMethods: string[];
}

const leewaySeconds = 30;

/** A JWT (RFC 9068's `at+jwt`, HS256) for one session, good for `env.jwt.accessTtlSeconds`. */
export async function issueAccessToken(
  env: Env,
  token: NewAccessToken,
  now: Date,
): Promise<string> {
  const { kid, key, issuer, audience } = await signing(env);
  const issuedAt = Math.floor(now.getTime() / 1000);
  return new SignJWT({
    sid: token.sessionId,
    amr: token.authMethods,
    auth_time: Math.floor(token.authenticatedAt.getTime() / 1000),
  })
    .setProtectedHeader({ alg: "HS256", kid, typ: "at+jwt" })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(token.userId)
    .setJti(randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + env.jwt.accessTtlSeconds)
    .sign(key);
}

/**
 * Verify an access token without any I/O. Throws `token_expired` when it only needs a refresh, else
 * `token_invalid`. One algorithm, known keys only; a key in the token's header is never looked at.
 */
export async function verifyAccessToken(env: Env, token: string, now: Date): Promise<AccessClaims> {
  const known = verified(env).find(token, now);
  if (known) return known;
  const { kid, key, issuer, audience } = await signing(env);
  try {
    const { payload } = await jwtVerify(
      token,
      (header) => {
        if (header.kid !== kid) throw new errors.JOSEError("unknown kid");
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
    const claims = claimsOf(payload, now);
    const { iat = 0, exp = 0 } = payload;
    verified(env).remember(token, claims, { fromMs: iat * 1000, untilMs: exp * 1000 });
    return claims;
  } catch (cause) {
    throw new AppError(cause instanceof errors.JWTExpired ? "token_expired" : "token_invalid", {
      cause,
    });
  }
}

function claimsOf(payload: JWTPayload, now: Date): AccessClaims {
  const { sub, sid, auth_time: authTime, iat = 0 } = payload;
  if (!isId(sub) || !isId(sid) || !isTime(authTime))
    throw new errors.JWTInvalid("a claim is wrong");
  const isFuture = iat > now.getTime() / 1000 + leewaySeconds;
  if (isFuture) throw new errors.JWTInvalid("issued in the future");
  return { userId: sub, sessionId: sid, authenticatedAt: new Date(authTime * 1000) };
}

/** Ids become keys of Redis and parameters of SQL. */
function isId(claim: unknown): claim is string {
  return typeof claim === "string" && /^[\w-]{1,64}$/.test(claim);
}

function isTime(claim: unknown): claim is number {
  return typeof claim === "number" && !Number.isNaN(new Date(claim * 1000).getTime());
}

const verified = oncePer((_: Env) => new VerifiedTokens<AccessClaims>());

const signing = oncePer(async ({ jwt }: Env) => ({
  kid: keyId(jwt.secret),
  key: await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(jwt.secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  ),
  issuer: `linguamate-api/${jwt.environment}`,
  audience: `linguamate-app/${jwt.environment}`,
}));
