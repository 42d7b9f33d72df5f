import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { type AuditEntry, auditIfAny } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import { lockRoles } from "../auth/operator/role.js";
import { otherAdminExists } from "../auth/other-admin.js";
import { lockAccount, type RevocationReason } from "../auth/session/session.js";
import { enforceRevocationsOf } from "../auth/session/sweep-session-keys.js";
import type { Context } from "../context.js";
import { sessions, users } from "../db/schema/accounts.js";
import { epochMsOf, timestamp } from "../db/timestamp.js";
import { AppError } from "../errors.js";
import { deliverLater } from "../mail/deliver-later.js";
import { mailKindName, newMailId } from "../mail/queue-mail.js";
import { enqueueFrom } from "../queue/enqueue.js";
import { copyDeletionLater, queueDeletionCopy } from "./deletion-copy.js";
import { graceDays } from "./grace-days.js";

export interface Scheduled {
  purgeAt: Date;
  deletionId: string;
  /** False when a deletion was pending already: it is unchanged. */
  isNew: boolean;
  sessionsEnded: number;
}

export type Deletion = Pick<Scheduled, "purgeAt" | "deletionId">;

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
