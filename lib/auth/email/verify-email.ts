import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditIfAny } from "../../audit/audit.js";
import type { Actor, Context } from "../../context.js";
import { users } from "../../db/schema/accounts.js";
import { timestamp } from "../../db/timestamp.js";
import { AppError } from "../../errors.js";
import { deliverLater } from "../../mail/deliver-later.js";
import { newMailId } from "../../mail/queue-mail.js";
import { presentUser, requireUser, type User, userFromJson } from "../../user/user.js";
import {
  consumeCode,
  issueCode,
  requireCode,
  rethrowAsCodeInvalid,
  SubmittedCode,
  type VerifiedCode,
} from "./mail-code.js";

export const Verification = z.strictObject({ code: SubmittedCode });

/** The first to verify a claimed address gets it. Audited. A verified account gets no error. Throws `code_invalid`, `session_revoked`. */
export async function verifyEmail(
  ctx: Context,
  { userId }: Actor,
  { code: typed }: z.infer<typeof Verification>,
): Promise<User> {
  try {
    const code = await requireCode(ctx, "verify_email", [userId], typed);
    return await bindClaim(ctx, code);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "code_invalid") throw error;
    const user = await requireUser(ctx, userId);
    if (user.email === null || user.claimedEmail !== null) throw error;
    return presentUser(user);
  }
}

async function bindClaim(ctx: Context, code: VerifiedCode): Promise<User> {
  const { userId } = code;
  const audit = { actor: { kind: "user", id: userId }, action: "email.verified" } as const;
  try {
    const { rows } = await ctx.db.execute<{ user: unknown }>(sql`
      with ${consumeCode(code.id)}, bound as (
        update ${users} set email = claimed_email, claimed_email = null, claim_device = null,
          email_undeliverable = false, updated_at = ${timestamp(ctx.now)}
        from consumed
        where ${users.id} = consumed.user_id and ${users.email} is null
          and ${users.claimedEmail} = ${code.email}
        returning ${users}.*
      ), audited as (
        ${auditIfAny(ctx, { ...audit, subjectId: userId }, sql`bound`)}
      )
      select row_to_json(bound) as user from bound`);
    const [bound] = rows;
    if (!bound) throw new AppError("code_invalid");
    return presentUser(userFromJson(bound.user));
  } catch (error) {
    return rethrowAsCodeInvalid(error);
  }
}

/** A taken address gets another mail, without a code. Without a claim nothing is sent. */
export async function resendVerification(
  ctx: Context,
  { userId }: Actor,
  { mayMailUnproven }: { mayMailUnproven: boolean },
): Promise<void> {
  const mailId = newMailId();
  const account = sql`account as (
      select id, claimed_email,
        exists (select 1 from ${users} owner where owner.email = claimant.claimed_email) as is_taken
      from ${users} claimant
      where id = ${userId}
    )`;
  await issueCode(
    ctx,
    {
      purpose: "verify_email",
      subject: userId,
      userId: sql`(select id from account where claimed_email is not null and not is_taken)`,
      email: sql`coalesce((select claimed_email from account), '')`,
      template: sql`(select case when is_taken then 'address_taken' else 'verify_email' end from account)`,
      send: sql`(select claimed_email is not null and ${mayMailUnproven} from account)`,
      mailId,
    },
    [account],
  );
  deliverLater(ctx, mailId);
}
