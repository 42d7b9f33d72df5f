import { eq } from "drizzle-orm";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { passwordMatches } from "./password/password.js";
import { liveness, requireLive } from "./session/live-record.js";
import { issueTokenPair, type TokenPair } from "./token/token-pair.js";

/**
 * The tokens of a session that an earlier call began, minted again at its present counter: the reply to
 * the repetition of a sign-in. Throws `session_revoked` or `session_expired` when it has ended since, and
 * `session_revoked` when the `password` that was sent with the call is not the account's any more: it
 * must not lead to the one session that outlived its change.
 */
export async function resumeSession(
  ctx: Context,
  sessionId: string,
  password?: string,
): Promise<TokenPair> {
  const [found] = await ctx.db
    .select({ session: sessions, user: users, liveness })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sessionId));
  if (!found) throw new AppError("session_revoked");
  requireLive(ctx, found.liveness);
  const { session, user } = found;
  if (password !== undefined && !(await passwordMatches(user.passwordHash, password))) {
    throw new AppError("session_revoked");
  }
  return issueTokenPair(ctx, user, session);
}
