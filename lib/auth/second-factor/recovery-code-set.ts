import { randomUUID } from "node:crypto";
import { and, eq, isNotNull, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import type { Context } from "../../context.js";
import { recoveryCodes, secondFactors } from "../../db/schema/security.js";
import { timestamp } from "../../db/timestamp.js";
import { writeOnce } from "../../db/write-once.js";
import { AppError } from "../../errors.js";
import { accountMailOf, newMailId, queueAccountMail } from "../../mail/queue-mail.js";
import { requireFactorAccount, secondFactorChanged } from "./factor-change.js";
import { recoveryCodeHash, recoveryCodesOf } from "./recovery-codes.js";

export const RecoveryCodes = z
  .strictObject({ recoveryCodes: z.array(z.string()).length(10) })
  .meta({ id: "RecoveryCodes" });
export type RecoveryCodes = z.infer<typeof RecoveryCodes>;

/** Deletes the old codes, mails the owner. Audited. Throws `second_factor_missing`, `second_factor_changed`, `session_revoked`. */
export async function renewRecoveryCodes(ctx: Context, userId: string): Promise<RecoveryCodes> {
  const { factor } = await requireFactorAccount(ctx, userId);
  if (!factor?.confirmedAt) throw new AppError("second_factor_missing");
  const set = newRecoveryCodes(ctx);
  const mailId = newMailId();
  const confirmed = and(eq(secondFactors.userId, userId), isNotNull(secondFactors.confirmedAt));
  const entry = {
    actor: { kind: "user", id: userId },
    action: "recovery_codes.replaced",
    subjectId: userId,
  } as const;
  const owner = sql`(select user_id from ${secondFactors} where ${confirmed}) as owner`;
  const [locked] = await writeOnce(ctx, set.id, [
    // The lock serialises concurrent calls, so that one set remains.
    ctx.db
      .select({ userId: secondFactors.userId })
      .from(secondFactors)
      .where(confirmed)
      .for("update"),
    ctx.db.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
    ctx.db.execute(storeRecoveryCodes(ctx, set.hashes, owner)),
    ctx.db.execute(queueAccountMail(accountMailOf(ctx, mailId, "second_factor_changed"), owner)),
    ctx.db.execute(auditIfAny(ctx, entry, owner)),
  ]);
  if (locked.length === 0) throw new AppError("second_factor_changed");
  secondFactorChanged(ctx, userId, entry.action, mailId);
  return { recoveryCodes: set.codes };
}

/** For a retry: used codes are included. Throws `second_factor_changed` once the set is replaced or deleted. */
export async function getStoredRecoveryCodes(
  ctx: Context,
  userId: string,
  setId: string,
): Promise<RecoveryCodes> {
  const codes = recoveryCodesOf(ctx.env, setId);
  const stored = await ctx.db
    .select({ hash: recoveryCodes.codeHash })
    .from(recoveryCodes)
    .where(eq(recoveryCodes.userId, userId));
  const hashes = new Set(stored.map(({ hash }) => hash));
  const areStored = codes.every((code) => hashes.has(recoveryCodeHash(ctx.env, code)));
  if (!areStored) throw new AppError("second_factor_changed");
  return { recoveryCodes: codes };
}

export function newRecoveryCodes({ env }: Context) {
  const id = randomUUID();
  const codes = recoveryCodesOf(env, id);
  return { id, codes, hashes: codes.map((code) => recoveryCodeHash(env, code)) };
}

export function storeRecoveryCodes(ctx: Context, hashes: string[], from: SQL): SQL {
  return sql`
    insert into ${recoveryCodes} (user_id, code_hash, created_at)
    select user_id, hash, ${timestamp(ctx.now)} from ${from}
    cross join unnest(${sql.param(hashes)}::text[]) as hash`;
}
