import { decodeJwt } from "jose";
import {
  type AccessClaims,
  type PresentedClaims,
  verifyAccessToken,
} from "../../auth/token/access-token.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";

const tokenLengthMax = 4096;

/** The claims of the bearer token (RFC 6750). Throws `token_missing`, `token_invalid`, `token_expired`. */
export async function bearerClaims(request: Request, env: Env, now: Date): Promise<AccessClaims> {
  return verifyAccessToken(env, bearerToken(request), now);
}

/** The same, but an expired token is accepted (`isExpired`). */
export async function shownClaims(request: Request, env: Env, now: Date): Promise<PresentedClaims> {
  const token = bearerToken(request);
  try {
    return { ...(await verifyAccessToken(env, token, now)), isExpired: false };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "token_expired") throw error;
    const { exp = 0 } = decodeJwt(token);
    const claims = await verifyAccessToken(env, token, new Date((exp - 1) * 1000));
    return { ...claims, isExpired: true };
  }
}

/** The bearer token, not verified; an empty string without a well-formed one. */
export function shownSecret(request: Request): string {
  return tokenIn(request.headers.get("authorization") ?? "") ?? "";
}

function bearerToken(request: Request): string {
  const header = request.headers.get("authorization");
  if (header === null) throw new AppError("token_missing");
  const token = tokenIn(header);
  if (token === undefined) throw new AppError("token_invalid");
  return token;
}

function tokenIn(header: string): string | undefined {
  const [, token] = /^bearer +([\w.~+/=-]+)$/i.exec(header) ?? [];
  return token !== undefined && token.length <= tokenLengthMax ? token : undefined;
}
