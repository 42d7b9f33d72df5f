import { and, eq } from "drizzle-orm";
import * as z from "zod";
import { type Reauthentication, verifyCredentials } from "../auth/reauthenticate.js";
import { confirmedSecret } from "../auth/second-factor/second-factor.js";
import { requireLiveSession, type SessionLookup } from "../auth/session/live-session.js";
import type { RevocationReason } from "../auth/session/session.js";
import { requireLiveStatus, sessionStatusColumns } from "../auth/session/session-status.js";
import type { AccessClaims, PresentedClaims } from "../auth/token/access-token.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { AppError } from "../errors.js";
import { cancelToken } from "../mail/cancel-token.js";
import { eraseAccount } from "./erase.js";
import { type Deletion, scheduleDeletion } from "./schedule-deletion.js";

export const ScheduledDeletion = z
  .strictObject({
    /** When the account and its data are erased: in 14 days, for a guest now. */
    purgeAt: z.iso.datetime(),
    /** For `POST /api/auth/cancel-deletion`, also in the mail. Null for a guest: nothing is left to restore. */
    cancelToken: z.string().nullable(),
  })
  .meta({ id: "ScheduledDeletion" });
export type ScheduledDeletion = z.infer<typeof ScheduledDeletion>;

interface Caller {
  claims: PresentedClaims;
  /** As Redis knows it; null when it was not read. */
  session: SessionLookup | null;
  /** The credentials were shown a moment ago. */
  isFresh: boolean;
}

/**
 * The owner's request: a guest is erased at once, any other account after the grace period. Needs a fresh token
 * (`isFresh`), or the credentials; those that are sent must be right. Of concurrent and repeated requests all get the same
 * token, those of a session that ended with the deletion too. Throws as `scheduleDeletion` and `verifyCredentials` do,
 * `reauth_required`, the codes of an ended session, and `session_revoked` when the guest has registered or was merged
 * since.
 */
export async function requestDeletion(
  ctx: Context,
  { claims, session, isFresh }: Caller,
  credentials: Reauthentication,
): Promise<ScheduledDeletion> {
  const { userId } = claims;
  const account = await readAccount(ctx, claims);
  const pending = account && pendingOf(ctx, account);
  if (!pending) {
    if (claims.isExpired) throw new AppError("token_expired");
    if (!account) throw new AppError("session_revoked");
    requireLiveStatus(ctx, account.status);
    if (session) await requireLiveSession(ctx, claims, session);
  }
  if (account.isGuest) {
    const isErased = await eraseAccount(ctx, userId, "guest");
    if (!isErased) throw new AppError("session_revoked");
    return { purgeAt: ctx.now.toISOString(), cancelToken: null };
  }
  const isSent = credentials.password !== undefined || credentials.otp !== undefined;
  if (!isSent && !isFresh) throw new AppError("reauth_required");
  if (isSent) await verifyCredentials(ctx, account, credentials);
  const by = { actor: { kind: "user", id: userId } } as const;
  const { purgeAt, deletionId } = pending ?? (await scheduleDeletion(ctx, userId, by));
  return { purgeAt: purgeAt.toISOString(), cancelToken: cancelToken(ctx.env, deletionId) };
}

async function readAccount({ db }: Context, { userId, sessionId }: AccessClaims) {
  const [account] = await db
    .select({
      id: users.id,
      isGuest: users.isGuest,
      email: users.email,
      passwordHash: users.passwordHash,
      sealedSecret: confirmedSecret,
      purgeAt: users.purgeAt,
      deletionId: users.deletionId,
      revokedReason: sessions.revokedReason,
      status: sessionStatusColumns,
    })
    .from(users)
    .innerJoin(sessions, and(eq(sessions.userId, users.id), eq(sessions.id, sessionId)))
    .where(eq(users.id, userId));
  return account;
}

/** The deletion that ended the session. Its request may have lost the reply. */
function pendingOf(
  { now }: Context,
  account: NonNullable<Awaited<ReturnType<typeof readAccount>>>,
): Deletion | null {
  const { isGuest, purgeAt, deletionId, revokedReason } = account;
  const ended: RevocationReason = "deletion_requested";
  if (isGuest || !purgeAt || purgeAt <= now || !deletionId || revokedReason !== ended) return null;
  return { purgeAt, deletionId };
}
