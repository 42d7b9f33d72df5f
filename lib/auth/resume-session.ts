import { eq } from "drizzle-orm";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { passwordMatches } from "./password/password.js";
import { requireLiveStatus, sessionStatusColumns } from "./session/session-status.js";
import { issueTokenPair, type TokenPair } from "./token/token-pair.js";

/** Issue tokens of this session again, for a retry. Throws `session_expired`; `session_revoked`, also for a wrong `password`. */
export async function resumeSession(
  ctx: Context,
  sessionId: string,
  password?: string,
): Promise<TokenPair> {
  const [found] = await ctx.db
    .select({ session: sessions, user: users, status: sessionStatusColumns })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sessionId));
  if (!found) throw new AppError("session_revoked");
  requireLiveStatus(ctx, found.status);
  const { session, user } = found;
  if (password !== undefined && !(await passwordMatches(user.passwordHash, password))) {
    throw new AppError("session_revoked");
  }
  return issueTokenPair(ctx, user, session);
}
