import {
  type AccessClaims,
  type PresentedClaims,
  verifyAccessToken,
  verifyPresentedToken,
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
  return verifyPresentedToken(env, bearerToken(request), now);
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
