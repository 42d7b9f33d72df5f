import { and, eq } from "drizzle-orm";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import type { UnprovenSession } from "../token/access-token.js";
import { isLive } from "./live-record.js";

/** For tokens whose signature is not verified. */
export async function isNamedSessionLive(
  ctx: Context,
  { sessionId, userId }: UnprovenSession,
): Promise<boolean> {
  const ofUser = userId === undefined ? undefined : eq(sessions.userId, userId);
  const found = await ctx.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), ofUser, isLive(ctx)));
  return found.length > 0;
}
