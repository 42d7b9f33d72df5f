import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import { env } from "../../lib/env.js";

/** An access token of a person's session whose credentials were shown this long ago. */
export function accessTokenOfAge(
  { user, sessionId }: Pick<TokenPair, "user" | "sessionId">,
  ageMs: number,
  authMethods = ["pwd"],
): string {
  const now = new Date();
  const authenticatedAt = new Date(now.getTime() - ageMs);
  return issueAccessToken(env(), { userId: user.id, sessionId, authenticatedAt, authMethods }, now);
}

/** A genuine access token of the session that expired an hour ago. */
export function expiredToken({ user, sessionId }: Pick<TokenPair, "user" | "sessionId">): string {
  const { jwt } = env();
  const issuedAt = new Date(Date.now() - (jwt.accessTtlSeconds + 3600) * 1000);
  const claims = { userId: user.id, sessionId, authenticatedAt: issuedAt, authMethods: ["pwd"] };
  return issueAccessToken(env(), claims, issuedAt);
}
