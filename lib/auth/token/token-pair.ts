import * as z from "zod";
import type { Context } from "../../context.js";
import { presentUser, User, type UserRow } from "../../user/user.js";
import { issueAccessToken } from "./access-token.js";
import { issueRefreshToken } from "./refresh-token.js";

/** What a sign-in gives the app. Both lifetimes are in seconds. */
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

/** What the tokens say of a session. */
export interface TokenSubject {
  id: string;
  refreshCounter: number;
  authenticatedAt: Date;
  authMethods: string[];
  idleExpiresAt: Date;
  /** The absolute end; null for a guest's. */
  expiresAt: Date | null;
}

/** The tokens of a live session at its counter. Making them again makes tokens that are as good. */
export async function issueTokenPair(
  ctx: Context,
  user: UserRow,
  session: TokenSubject,
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

function secondsLeft({ now }: Context, { idleExpiresAt, expiresAt }: TokenSubject): number {
  const end = Math.min(idleExpiresAt.getTime(), expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
  return Math.max(0, Math.floor((end - now.getTime()) / 1000));
}
