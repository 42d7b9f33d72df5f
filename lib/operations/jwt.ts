import { sql } from "drizzle-orm";
import { decodeJwt, decodeProtectedHeader } from "jose";
import * as z from "zod";
import { verifyAccessToken } from "../auth/token/access-token.js";
import { verifyRefreshToken } from "../auth/token/refresh-token.js";
import type { Context } from "../context.js";
import { dataKeys, keyId } from "../crypto/secret.js";
import { operatorTokens } from "../db/schema/operators.js";
import { recoveryCodes, secondFactors } from "../db/schema/security.js";
import { AppError } from "../errors.js";
import { EpochMs } from "../timestamps.js";
import { getSessionDetails, SessionDetails } from "./sessions.js";

/** Neither the token nor its signature is included. */
export const TokenInspection = z.strictObject({
  kind: z.enum(["access", "refresh", "unknown"]),
  /** Of the token alone; whether its session has ended is in `session`. */
  verdict: z.enum(["good", "expired", "refused"]),
  /** The key ID in the token, and the role of that key in this deployment. */
  keyId: z.string().nullable(),
  key: z.enum(["signs", "verifies", "unknown"]),
  userId: z.string().nullable(),
  sessionId: z.string().nullable(),
  authMethods: z.array(z.string()),
  issuedAt: z.iso.datetime().nullable(),
  authenticatedAt: z.iso.datetime().nullable(),
  expiresAt: z.iso.datetime().nullable(),
  serverTime: z.iso.datetime(),
  /** How far the time of issue is ahead of this server's clock; negative for the past. */
  aheadSeconds: z.int().nullable(),
  session: SessionDetails.nullable(),
  /** Explanations, as sentences. */
  findings: z.array(z.string()),
});
export type TokenInspection = z.infer<typeof TokenInspection>;

/** The key IDs in use; never the keys. */
export const RotationState = z.strictObject({
  jwt: z.strictObject({ signs: z.string(), verifies: z.array(z.string()) }),
  data: z.strictObject({
    current: z.string(),
    recognised: z.array(z.string()),
    /** How many rows depend on each data key; a row whose key is not recognised cannot be read. */
    uses: z.array(z.strictObject({ what: z.string(), keyId: z.string(), count: z.int() })),
  }),
});
export type RotationState = z.infer<typeof RotationState>;

const leewaySeconds = 30;

type Read = Omit<TokenInspection, "session" | "findings" | "serverTime" | "key">;

/** Inspect a token: its claims, whether we accept it, its session, and the reasons. Never throws for an invalid token. */
export async function inspectToken(ctx: Context, token: string): Promise<TokenInspection> {
  const read = token.startsWith("rt1.") ? readRefresh(ctx, token) : await readAccess(ctx, token);
  const key = keyRoleOf(ctx, read.keyId);
  const session = await sessionOf(ctx, read.sessionId);
  const inspected = { ...read, key, serverTime: ctx.now.toISOString(), session };
  return { ...inspected, findings: findingsOf(inspected) };
}

async function readAccess(ctx: Context, token: string): Promise<Read> {
  let header: ReturnType<typeof decodeProtectedHeader>;
  let claims: ReturnType<typeof decodeJwt>;
  try {
    header = decodeProtectedHeader(token);
    claims = decodeJwt(token);
  } catch {
    return unreadable;
  }
  const { iat, exp, auth_time: authTime, amr, sub, sid } = claims;
  return {
    kind: "access",
    verdict: await verdictOf(() => verifyAccessToken(ctx.env, token, ctx.now)),
    keyId: shortText(header.kid),
    userId: shortText(sub),
    sessionId: shortText(sid),
    authMethods: Array.isArray(amr) ? amr.slice(0, 10).map(String) : [],
    issuedAt: isoOf(iat),
    authenticatedAt: isoOf(authTime),
    expiresAt: isoOf(exp),
    aheadSeconds:
      typeof iat === "number" && isoOf(iat) ? Math.round(iat - ctx.now.getTime() / 1000) : null,
  };
}

function readRefresh(ctx: Context, token: string): Read {
  const [, kid, sid] = token.split(".");
  let verdict: Read["verdict"] = "good";
  try {
    verifyRefreshToken(ctx.env, token);
  } catch {
    verdict = "refused";
  }
  return {
    ...unreadable,
    kind: "refresh",
    verdict,
    keyId: shortText(kid),
    sessionId: shortText(sid),
  };
}

async function verdictOf(verify: () => Promise<unknown>): Promise<Read["verdict"]> {
  try {
    await verify();
    return "good";
  } catch (error) {
    return error instanceof AppError && error.code === "token_expired" ? "expired" : "refused";
  }
}

const unreadable: Read = {
  kind: "unknown",
  verdict: "refused",
  keyId: null,
  userId: null,
  sessionId: null,
  authMethods: [],
  issuedAt: null,
  authenticatedAt: null,
  expiresAt: null,
  aheadSeconds: null,
};

/** The token is untrusted input. */
const shortText = (value: unknown) =>
  typeof value === "string" && /^[\w-]{1,64}$/.test(value) ? value : null;

function isoOf(seconds: unknown): string | null {
  if (typeof seconds !== "number") return null;
  const { data: ms } = EpochMs.safeParse(Math.round(seconds * 1000));
  return ms === undefined ? null : new Date(ms).toISOString();
}

function keyRoleOf({ env }: Context, kid: string | null): TokenInspection["key"] {
  if (kid === null) return "unknown";
  if (kid === keyId(env.jwt.secret)) return "signs";
  return env.jwt.previousSecrets.map(keyId).includes(kid) ? "verifies" : "unknown";
}

async function sessionOf(ctx: Context, id: string | null): Promise<SessionDetails | null> {
  if (id === null) return null;
  try {
    return await getSessionDetails(ctx, id);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return null;
    throw error;
  }
}

function findingsOf(token: Omit<TokenInspection, "findings">): string[] {
  const { kind, verdict, key, session, aheadSeconds } = token;
  const found = [
    kind === "unknown" && "This is neither an access token nor a refresh token of this backend.",
    kind !== "unknown" &&
      key === "unknown" &&
      "No secret of this deployment has this key ID: the token is from another environment, or from before a key rotation.",
    key === "verifies" && "The token was signed before the last rotation of JWT_SECRET.",
    verdict === "refused" &&
      key !== "unknown" &&
      "The signature or the claims are invalid: the token was altered.",
    verdict === "expired" &&
      "The token has expired, or lives longer than ACCESS_TOKEN_TTL_SECONDS: the app must refresh it.",
    aheadSeconds !== null &&
      aheadSeconds > leewaySeconds &&
      "The token was issued in the future: the clock of the server that issued it is fast, or this server's clock is slow.",
    kind !== "unknown" && !session && "Its session does not exist in this database.",
    session && session.state !== "live" && `Its session is ${session.state}.`,
    session?.state === "live" && session.key === "missing" && "Redis has no key for the session.",
    session?.state === "live" && verdict === "good" && "The token is valid.",
  ];
  return found.filter((sentence) => typeof sentence === "string");
}

/** Progress of a rotation of JWT_SECRET or DATA_KEY (docs/runbooks/rotate-keys.md). */
export async function rotationState({ env, db }: Context): Promise<RotationState> {
  const [current, ...recognised] = [...new Set(dataKeys(env, "kid").map(({ id }) => id))];
  const { rows } = await db.execute<{ what: string; key: string; count: number }>(sql`
    select 'second factor' as what, split_part(sealed_secret, '.', 2) as key, count(*)::int as count
      from ${secondFactors} group by 2
    union all
    select 'recovery code', split_part(code_hash, '.', 1), count(*)::int
      from ${recoveryCodes} where used_at is null group by 2
    union all
    select 'operators'' token', split_part(secret_hash, '.', 1), count(*)::int
      from ${operatorTokens} where revoked_at is null group by 2
    order by 1, 2`);
  return {
    jwt: { signs: keyId(env.jwt.secret), verifies: env.jwt.previousSecrets.map(keyId) },
    data: {
      current: current ?? "",
      recognised,
      uses: rows.map(({ what, key, count }) => ({ what, keyId: key, count })),
    },
  };
}
