import { type AccessClaims, verifyAccessToken } from "../auth/access-token.js";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";

const tokenLengthMax = 4096;

/**
 * The claims of the bearer token (RFC 6750), verified without I/O. Throws `token_missing`,
 * `token_invalid` or `token_expired`.
 */
export async function bearerClaims(request: Request, env: Env, now: Date): Promise<AccessClaims> {
  const header = request.headers.get("authorization");
  if (header === null) throw new AppError("token_missing");
  const [, token] = /^bearer +([\w.~+/=-]+)$/i.exec(header) ?? [];
  if (token === undefined || token.length > tokenLengthMax) throw new AppError("token_invalid");
  return verifyAccessToken(env, token, now);
}
