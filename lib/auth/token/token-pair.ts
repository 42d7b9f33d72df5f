import * as z from "zod";
import type { Context } from "../../context.js";
import { presentUser, User, type UserRow } from "../../user/user.js";
import { issueAccessToken } from "./access-token.js";
import { issueRefreshToken } from "./refresh-token.js";

/** Lifetimes are in seconds. */
export const TokenPair = z
  .strictObject({
    tokenType: z.literal("Bearer"),
    accessToken: z.string(),
    expiresIn: z.int(),
    refreshToken: z.string(),
    refreshExpiresIn: z.int(),
    sessionId: z.string(),
    user: User,
  })
  .meta({ id: "TokenPair" });
export type TokenPair = z.infer<typeof TokenPair>;

export interface TokenSession {
  id: string;
  refreshCounter: number;
  authenticatedAt: Date;
  authMethods: string[];
  idleExpiresAt: Date;
  /** The absolute expiry; null for guests. */
  expiresAt: Date | null;
}

/** Safe to repeat: tokens issued again for the same counter are equally valid. */
export async function issueTokenPair(
  ctx: Context,
  user: UserRow,
  session: TokenSession,
): Promise<TokenPair> {
  const { id: sessionId, authenticatedAt, authMethods, refreshCounter: counter } = session;
  const claims = {
    userId: user.id,
    sessionId,
    authenticatedAt,
    authMethods,
    ...(user.email !== null && { emailVerified: true as const }),
  };
  return {
    tokenType: "Bearer",
    accessToken: await issueAccessToken(ctx.env, claims, ctx.now),
    expiresIn: ctx.env.jwt.accessTtlSeconds,
    refreshToken: issueRefreshToken(ctx.env, { sessionId, counter }),
    refreshExpiresIn: secondsLeft(ctx, session),
    sessionId,
    user: presentUser(user),
  };
}

function secondsLeft({ now }: Context, { idleExpiresAt, expiresAt }: TokenSession): number {
  const end = Math.min(idleExpiresAt.getTime(), expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
  return Math.max(0, Math.floor((end - now.getTime()) / 1000));
}
