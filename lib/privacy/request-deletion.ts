import { randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import { type AuditEntry, auditIfAny } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import { lockRoles, otherAdminExists } from "../auth/operator/role.js";
import { type Reauthentication, verifyCredentials } from "../auth/reauthenticate.js";
import { confirmedSecret } from "../auth/second-factor/second-factor.js";
import { lockAccount, type RevocationReason } from "../auth/session/session.js";
import { enforceRevocationsOf } from "../auth/session/sweep-session-keys.js";
import type { Actor, Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { epochMsOf, timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { cancelToken } from "../mail/cancel-token.js";
import { deliverLater } from "../mail/deliver-later.js";
import { mailKindName, newMailId } from "../mail/queue-mail.js";
import { enqueueFrom } from "../queue/enqueue.js";
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

/**
 * The owner's request: a guest is erased at once, any other account after the grace period. Needs a fresh token
 * (`isFresh`), or the credentials; those that are sent must be right. Of concurrent requests all get the same token. Throws as `scheduleDeletion` and
 * `verifyCredentials` do, `reauth_required`, and `session_revoked` when the guest has registered or was merged since.
 */
export async function requestDeletion(
  ctx: Context,
  { userId }: Actor,
  credentials: Reauthentication,
  isFresh: boolean,
): Promise<ScheduledDeletion> {
  const account = await readAccount(ctx, userId);
  if (account.isGuest) {
    const isErased = await eraseAccount(ctx, userId, "guest");
    if (!isErased) throw new AppError("session_revoked");
    return { purgeAt: ctx.now.toISOString(), cancelToken: null };
  }
  const isSent = credentials.password !== undefined || credentials.otp !== undefined;
  if (!isSent && !isFresh) throw new AppError("reauth_required");
  if (isSent) await verifyCredentials(ctx, account, credentials);
  const { purgeAt, deletionId } = await scheduleDeletion(ctx, userId, {
    actor: { kind: "user", id: userId },
  });
  return { purgeAt: purgeAt.toISOString(), cancelToken: cancelToken(ctx.env, deletionId) };
}

async function readAccount({ db }: Context, userId: string) {
  const [account] = await db
    .select({
      id: users.id,
      isGuest: users.isGuest,
      email: users.email,
      passwordHash: users.passwordHash,
      sealedSecret: confirmedSecret,
    })
    .from(users)
    .where(eq(users.id, userId));
  if (!account) throw new AppError("session_revoked");
  return account;
}

interface Scheduled {
  purgeAt: Date;
  deletionId: string;
  /** False when a deletion was pending already: it is unchanged. */
  isNew: boolean;
  sessionsEnded: number;
}

/**
 * Revokes every session and mails the verified address. Audited. The operator tokens of the account are refused while it
 * is pending. Throws `last_admin`, `not_found` when the account has gone.
 */
export async function scheduleDeletion(
  ctx: Context,
  userId: string,
  by: Pick<AuditEntry, "actor" | "reason">,
): Promise<Scheduled> {
  const now = timestamp(ctx.now);
  const purgeAt = timestamp(new Date(ctx.now.getTime() + graceDays * 86_400_000));
  const reason: RevocationReason = "deletion_requested";
  const mailId = newMailId();
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
        update ${users} set purge_at = ${purgeAt}, deletion_id = cast(${randomUUID()} as uuid),
          updated_at = ${now}
        where id = ${userId} and deletion_id is null and not ${isLastAdmin}
        returning id, purge_at, deletion_id
      ), ended as (
        update ${sessions} set revoked_at = ${now}, revoked_reason = ${reason}
        where user_id in (select id from changed) and revoked_at is null
        returning id
      ), mailed as (${mail}), audited as (${auditIfAny(ctx, entry, sql`changed`)})
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
  }
  await enforceRevocationsOf(ctx, userId);
  return {
    purgeAt: new Date(Number(found.purge_at)),
    deletionId: found.deletion_id,
    isNew: found.is_new,
    sessionsEnded: found.ended,
  };
}
