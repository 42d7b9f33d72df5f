import { randomUUID } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { type AuditEntry, auditIfAny } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import { lockRoles, otherAdminExists } from "../auth/operator/role.js";
import { type Reauthentication, verifyCredentials } from "../auth/reauthenticate.js";
import { confirmedSecret } from "../auth/second-factor/second-factor.js";
import { requireLiveSession, type SessionLookup } from "../auth/session/live-session.js";
import { lockAccount, type RevocationReason } from "../auth/session/session.js";
import { requireLiveStatus, sessionStatusColumns } from "../auth/session/session-status.js";
import { enforceRevocationsOf } from "../auth/session/sweep-session-keys.js";
import type { AccessClaims, PresentedClaims } from "../auth/token/access-token.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { epochMsOf, timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { cancelToken } from "../mail/cancel-token.js";
import { deliverLater } from "../mail/deliver-later.js";
import { mailKindName, newMailId } from "../mail/queue-mail.js";
import { enqueueFrom } from "../queue/enqueue.js";
import { copyDeletionLater, queueDeletionCopy } from "./deletion-copy.js";
import { eraseAccount } from "./erase.js";

export const ScheduledDeletion = z
  .strictObject({
    /** When the account and its data are erased: in 14 days, for a guest now. */
    purgeAt: z.iso.datetime(),
    /** For `POST /api/auth/cancel-deletion`, also in the mail. Null for a guest: nothing is left to restore. */
    cancelToken: z.string().nullable(),
  })
  .meta({ id: "ScheduledDeletion" });
export type ScheduledDeletion = z.infer<typeof ScheduledDeletion>;

export const graceDays = 14;

interface Caller {
  claims: PresentedClaims;
  /** As Redis knows it; null when it was not read. */
  session: SessionLookup | null;
  /** The credentials were shown a moment ago. */
  isFresh: boolean;
}

/**
 * The owner's request: a guest is erased at once, any other account after the grace period. Needs a fresh token
 * (`isFresh`), or the credentials. Of concurrent and repeated requests all get the same token, those of a session that
 * ended with the deletion too. Throws as `scheduleDeletion` and `verifyCredentials` do, `reauth_required`, the codes of an
 * ended session, and `session_revoked` when the guest has registered or was merged since.
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
  if (!isFresh) {
    const isSent = credentials.password !== undefined || credentials.otp !== undefined;
    if (!isSent) throw new AppError("reauth_required");
    await verifyCredentials(ctx, account, credentials);
  }
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

interface Scheduled {
  purgeAt: Date;
  deletionId: string;
  /** False when a deletion was pending already: it is unchanged. */
  isNew: boolean;
  sessionsEnded: number;
}

type Deletion = Pick<Scheduled, "purgeAt" | "deletionId">;

const newDeletion = ({ now }: Context): Deletion => ({
  deletionId: randomUUID(),
  purgeAt: new Date(now.getTime() + graceDays * 86_400_000),
});

/**
 * Revokes every session and mails the verified address. Audited. The operator tokens of the account are refused while it
 * is pending. `deletion` repeats one that a restore has lost. Throws `last_admin`, `not_found` when the account has gone.
 */
export async function scheduleDeletion(
  ctx: Context,
  userId: string,
  by: Pick<AuditEntry, "actor" | "reason">,
  deletion = newDeletion(ctx),
): Promise<Scheduled> {
  const now = timestamp(ctx.now);
  const reason: RevocationReason = "deletion_requested";
  const mailId = newMailId();
  const copyId = randomUUID();
  const mail = enqueueFrom(
    mailKindName,
    {
      id: sql`${mailId}`,
      payload: sql`jsonb_build_object('template', 'deletion_requested', 'cancelId', deletion_id,
        'to', jsonb_build_object('userId', id))`,
      correlationId: sql`${ctx.correlationId}`,
      now,
      expiresAt: sql`${now} + interval '24 hours'`,
    },
    sql`changed`,
  );
  const entry = { ...by, action: "deletion.requested", subjectId: userId } as const;
  const isLastAdmin = sql`(role = 'admin' and not ${otherAdminExists(userId)})`;
  const [, , { rows }] = await ctx.db.batch([
    lockRoles(ctx),
    lockAccount(userId),
    ctx.db.execute<{
      purge_at: string;
      deletion_id: string;
      is_new: boolean;
      is_last_admin: boolean;
      ended: number;
    }>(sql`
      with changed as (
        update ${users} set purge_at = ${timestamp(deletion.purgeAt)},
          deletion_id = cast(${deletion.deletionId} as uuid),
          updated_at = ${now}
        where id = ${userId} and deletion_id is null and not ${isLastAdmin}
        returning id, id as user_id, purge_at, deletion_id
      ), ended as (
        update ${sessions} set revoked_at = ${now}, revoked_reason = ${reason}
        where user_id in (select id from changed) and revoked_at is null
        returning id
      ), mailed as (${mail}), copied as (${queueDeletionCopy(ctx, copyId, sql`changed`)}), audited as (${auditIfAny(ctx, entry, sql`changed`)})
      select ${epochMsOf(sql`coalesce(changed.purge_at, users.purge_at)`)} as purge_at,
        coalesce(changed.deletion_id, users.deletion_id) as deletion_id,
        changed.id is not null as is_new, ${isLastAdmin} as is_last_admin,
        cast((select count(*) from ended) as integer) as ended
      from ${users} left join changed on true where users.id = ${userId}`),
  ]);
  const [found] = rows;
  if (!found) throw new AppError("not_found");
  if (!found.deletion_id && found.is_last_admin) throw new AppError("last_admin");
  if (found.is_new) {
    securityEvent(ctx, "deletion_requested", { userId });
    deliverLater(ctx, mailId);
    copyDeletionLater(ctx, copyId);
  }
  await enforceRevocationsOf(ctx, userId);
  return {
    purgeAt: new Date(Number(found.purge_at)),
    deletionId: found.deletion_id,
    isNew: found.is_new,
    sessionsEnded: found.ended,
  };
}
