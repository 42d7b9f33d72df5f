import { randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import { type AuditEntry, auditIfAny } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { requiredRow } from "../db/required-row.js";
import { users } from "../db/schema/accounts.js";
import { timestamp } from "../db/timestamp.js";
import { writeOnce } from "../db/write-once.js";
import { AppError } from "../errors.js";
import { verifyCancelToken } from "../mail/cancel-token.js";
import { deliverLater } from "../mail/deliver-later.js";
import { accountMailOf, newMailId, queueAccountMail } from "../mail/queue-mail.js";
import { copyDeletionLater, queueDeletionCopy } from "./deletion-copy.js";

export const Cancellation = z.strictObject({
  cancelToken: z
    .string()
    .min(1)
    .max(256)
    .meta({
      examples: [
        "cd1.5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6.0000000000000000000000000000000000000000000",
      ],
    }),
});

/** Restores the account as it was; its sessions stay ended. Mails the verified address. Audited. Throws `code_invalid`. */
export async function cancelDeletionByToken(
  ctx: Context,
  { cancelToken }: z.infer<typeof Cancellation>,
): Promise<void> {
  const id = verifyCancelToken(ctx.env, cancelToken);
  const [account] = id
    ? await ctx.db.select({ id: users.id }).from(users).where(eq(users.deletionId, id))
    : [];
  if (!id || !account) throw new AppError("code_invalid");
  const actor = { kind: "user", id: account.id } as const;
  const isCancelled = await cancelDeletion(ctx, account.id, { actor }, { deletionId: id });
  if (!isCancelled) throw new AppError("code_invalid");
}

/**
 * A token cancels its own deletion until the grace period is over, a repetition after a restore also later. False when there
 * is nothing to cancel (any more).
 */
export async function cancelDeletion(
  ctx: Context,
  userId: string,
  by: Pick<AuditEntry, "actor" | "reason">,
  how: { deletionId: string } | { repeated: string } | "operator",
): Promise<boolean> {
  const now = timestamp(ctx.now);
  const which =
    how === "operator"
      ? sql`purge_at is not null`
      : "repeated" in how
        ? sql`deletion_id = ${how.repeated}`
        : sql`purge_at > ${now} and deletion_id = ${how.deletionId}`;
  const mailId = newMailId();
  const copyId = randomUUID();
  const entry = { ...by, action: "deletion.cancelled", subjectId: userId } as const;
  const write = ctx.db.execute(sql`
    with pending as (
      select id as user_id, deletion_id, cast(null as timestamptz) as purge_at from ${users}
      where id = ${userId} and ${which} for update
    ), cancelled as (
      update ${users} set purge_at = null, deletion_id = null, updated_at = ${now}
      where id = (select user_id from pending)
      returning id as user_id
    ), copied as (${queueDeletionCopy(ctx, copyId, sql`pending where deletion_id is not null`)}), audited as (${auditIfAny(ctx, entry, sql`cancelled`)}),
    mailed as (${queueAccountMail(accountMailOf(ctx, mailId, "deletion_cancelled"), sql`cancelled`)})
    select ${requiredRow(sql`cancelled`)}`);
  try {
    await writeOnce(ctx, userId, [write]);
  } catch (error) {
    if (lacksRequiredRow(error)) return false;
    throw error;
  }
  securityEvent(ctx, "deletion_cancelled", { userId });
  deliverLater(ctx, mailId);
  copyDeletionLater(ctx, copyId);
  return true;
}
