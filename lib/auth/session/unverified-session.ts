import { and, eq } from "drizzle-orm";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import type { UnverifiedSession } from "../token/access-token.js";
import { isLiveSession } from "./session-status.js";

/** For a token whose signature is not verified: proves nothing about the caller. */
export async function isUnverifiedSessionLive(
  ctx: Context,
  { sessionId, userId }: UnverifiedSession,
): Promise<boolean> {
  const ofUser = userId === undefined ? undefined : eq(sessions.userId, userId);
  const found = await ctx.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), ofUser, isLiveSession(ctx)));
  return found.length > 0;
}
