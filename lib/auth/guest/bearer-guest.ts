import { eq, sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { prepared } from "../../db/database.js";
import { sessions, users } from "../../db/schema/accounts.js";
import { AppError, type ErrorCode } from "../../errors.js";
import type { UserRow } from "../../user/user.js";
import { requireLiveSession, type SessionLookup } from "../session/live-session.js";
import type { RevocationReason } from "../session/session.js";
import type { PresentedClaims } from "../token/access-token.js";

export interface PresentedBearer {
  claims: PresentedClaims | undefined;
  session: SessionLookup | null;
}

/**
 * `upgraded` when it has registered since; null without a token, or when it is no guest's or its session has ended.
 * Throws `token_expired` when the token needs a refresh: ignoring it would lose the guest's progress.
 */
export async function findBearerGuest(
  ctx: Context,
  { claims, session }: PresentedBearer,
): Promise<UserRow | "upgraded" | null> {
  if (!claims) return null;
  const found = await findSession(ctx, claims.sessionId);
  if (!found || found.user.id !== claims.userId) return null;
  const { user, revokedAt } = found;
  if (wasUpgraded(found)) return "upgraded";
  const isOpen = !user.suspendedAt && !user.purgeAt && !user.mergedInto;
  if (!user.isGuest || !isOpen || revokedAt) return null;
  if (!(await isLive(ctx, claims, session))) {
    // A concurrent registration may have revoked it.
    return wasUpgraded(await findSession(ctx, claims.sessionId)) ? "upgraded" : null;
  }
  if (claims.isExpired) throw new AppError("token_expired");
  return user;
}

async function findSession(ctx: Context, id: string) {
  const [found] = await bySession(ctx.db).execute({ id });
  return found;
}

function wasUpgraded(found: { revokedReason: string | null } | undefined): boolean {
  return found?.revokedReason === ("account_upgraded" satisfies RevocationReason);
}

const ended: ErrorCode[] = ["session_revoked", "session_expired", "token_invalid"];

async function isLive(ctx: Context, claims: PresentedClaims, session: SessionLookup | null) {
  try {
    await requireLiveSession(ctx, claims, session);
    return true;
  } catch (error) {
    if (error instanceof AppError && ended.includes(error.code)) return false;
    throw error;
  }
}

const bySession = prepared((db) =>
  db
    .select({
      user: users,
      revokedAt: sessions.revokedAt,
      revokedReason: sessions.revokedReason,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare("guest_by_session"),
);
