import * as z from "zod";
import type { Context } from "../context.js";
import { presentUser, User, type UserRow } from "../user/user.js";
import { issueAccessToken } from "./access-token.js";
import { issueRefreshToken } from "./refresh-token.js";
import { idleDays } from "./session.js";

/** What a sign-in gives the app. Both lifetimes are in seconds. */
export const TokenPair = z.strictObject({
  tokenType: z.literal("Bearer"),
  accessToken: z.string(),
  expiresIn: z.int(),
  refreshToken: z.string(),
  refreshExpiresIn: z.int(),
  sessionId: z.string(),
  user: User,
});
export type TokenPair = z.infer<typeof TokenPair>;

/** The tokens of a session that was just created. */
export async function issueTokenPair(
  ctx: Context,
  sessionId: string,
  user: UserRow,
  authMethods: string[],
): Promise<TokenPair> {
  const claims = { userId: user.id, sessionId, authenticatedAt: ctx.now, authMethods };
  return {
    tokenType: "Bearer",
    accessToken: await issueAccessToken(ctx.env, claims, ctx.now),
    expiresIn: ctx.env.jwt.accessTtlSeconds,
    refreshToken: issueRefreshToken(ctx.env, sessionId, 0),
    refreshExpiresIn: idleDays * 86_400,
    sessionId,
    user: presentUser(user),
  };
}
