import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow } from "../../audit/audit.js";
import type { Actor, Context } from "../../context.js";
import { lacksRequiredRow } from "../../db/failures.js";
import { requiredRow } from "../../db/required-row.js";
import { users } from "../../db/schema/accounts.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId, queueMail } from "../../mail/queue-mail.js";
import { requireUser } from "../../user/user.js";
import { revokeSessions } from "../session/session.js";
import { deleteSessionKeys } from "../session/session-keys.js";
import { findPasswordViolation, hashPassword, passwordMatches } from "./password.js";

export const PasswordChange = z.strictObject({
  currentPassword: z
    .string()
    .min(1)
    .max(512)
    .meta({ examples: ["correct horse battery"] }),
  newPassword: z
    .string()
    .max(512)
    .meta({ examples: ["staple of a new horse"] }),
});

/**
 * Also revokes the other sessions and mails the owner. Audited. Throws `password_not_set`, `validation_failed`,
 * `invalid_credentials`, `session_revoked`, `service_unavailable` (retry).
 */
export async function changePassword(
  ctx: Context,
  { userId, sessionId }: Actor,
  { currentPassword, newPassword }: z.infer<typeof PasswordChange>,
): Promise<void> {
  const { passwordHash, email, claimedEmail } = await requireUser(ctx, userId);
  if (passwordHash === null) throw new AppError("password_not_set");
  const refusal = findPasswordViolation(newPassword, email ?? claimedEmail ?? "");
  if (refusal) {
    throw new AppError("validation_failed", { fields: [{ ...refusal, pointer: "/newPassword" }] });
  }
  if (!(await passwordMatches(passwordHash, currentPassword))) {
    throw new AppError("invalid_credentials");
  }
  const newHash = await hashPassword(newPassword);

  const mailId = newMailId();
  const actor = { kind: "user", id: userId } as const;
  const [, revoked] = await writeOnce(ctx, userId, [
    replaceHash(ctx, userId, passwordHash, newHash),
    revokeSessions(ctx, { userId, except: sessionId }, "password_changed"),
    queueMail(ctx, mailId, { template: "password_changed", to: { userId } }, { send: true }),
    auditRow(ctx, { actor, action: "password.changed", subjectId: userId }),
  ]).catch((error) => {
    if (!lacksRequiredRow(error)) throw error;
    throw new AppError("service_unavailable", { retryAfterSeconds: 1 });
  });
  await deleteSessionKeys(
    ctx,
    revoked.map(({ id }) => id),
  );
  deliverLater(ctx, mailId);
}

function replaceHash(ctx: Context, userId: string, oldHash: string, newHash: string) {
  return ctx.db.execute(sql`
    with changed as (
      update ${users} set password_hash = ${newHash}, updated_at = ${timestamp(ctx.now)}
      where ${and(eq(users.id, userId), eq(users.passwordHash, oldHash))}
      returning id
    )
    select ${requiredRow(sql`changed`)}`);
}
