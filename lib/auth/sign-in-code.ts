import { eq, getTableColumns, isNull, sql } from "drizzle-orm";
import { auditRow } from "../audit/audit.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { xpEntries } from "../db/schema/learning.js";
import { AppError } from "../errors.js";
import { deliverUnnoticed } from "../mail/deliver-later.js";
import { newMailId } from "../mail/queue-mail.js";
import type { UserRow } from "../user/user.js";
import { isAccountBlocked } from "./account-block.js";
import {
  addressSubject,
  addressSubjects,
  consumeCode,
  issueCode,
  requireCode,
} from "./email/mail-code.js";
import { claimedAt } from "./login-candidates.js";
import { passwordMatches } from "./password/password.js";
import type { AccountCondition } from "./session/session.js";
import type { SignInWrite } from "./session/sign-in.js";

const claimsComparedMax = 5;

/** After the reply. With `send` false it writes the same rows and mails nothing, so that all failed logins cost the same. */
export function mailSignInCode(ctx: Context, email: string, { send }: { send: boolean }): void {
  const mailId = newMailId();
  ctx.after(async () => {
    await issueCode(ctx, {
      purpose: "sign_in",
      subject: addressSubject(ctx.env, email),
      // Any claim: the code proves the address, the password selects the account.
      userId: sql`(select id from ${users}
        where cast(${send} as boolean) and claimed_email = ${email} and email is null
        order by ${claimedAt}, id limit 1)`,
      email,
      template: "sign_in_code",
      send,
      mailId,
    });
    deliverUnnoticed(ctx, mailId);
  });
}

/** Null for a wrong code, or when none of the first claims has this password. Counts an attempt; does not consume the code. */
export async function findClaimByCode(
  ctx: Context,
  email: string,
  { otp, password }: { otp: string; password: string },
): Promise<{ user: Claimant; codeId: string } | null> {
  const codeId = await findCode(ctx, email, otp);
  if (codeId === null) return null;
  for (const user of await listClaims(ctx, email)) {
    if (await passwordMatches(user.passwordHash, password)) return { user, codeId };
  }
  return null;
}

/** A part of the sign-in's condition: consume the code of this claim. One code works once. Values: `codeId`, `email`. */
export const claimUnchanged = {
  withParts: [consumeCode(sql.placeholder("codeId"))],
  unchanged: sql`exists (select 1 from consumed) and ${isNull(users.email)}
    and ${eq(users.claimedEmail, sql.placeholder("email"))}`,
} satisfies AccountCondition;

/** Parts of the sign-in's transaction: verify the address, write the audit row. */
export function bindByCode(
  ctx: Context,
  user: UserRow,
  email: string,
): Required<Pick<SignInWrite, "statements">> {
  const bind = ctx.db
    .update(users)
    .set({ email, claimedEmail: null, claimDevice: null, updatedAt: ctx.now })
    .where(eq(users.id, user.id));
  return {
    statements: [
      bind,
      auditRow(ctx, {
        actor: { kind: "user", id: user.id },
        action: "email.verified",
        subjectId: user.id,
      }),
    ],
  };
}

async function findCode(ctx: Context, email: string, typed: string): Promise<string | null> {
  try {
    return (await requireCode(ctx, "sign_in", addressSubjects(ctx.env, email), typed)).id;
  } catch (error) {
    if (error instanceof AppError && error.code === "code_invalid") return null;
    throw error;
  }
}

type Claimant = UserRow & { isBlocked: boolean };

function listClaims(ctx: Context, email: string): Promise<Claimant[]> {
  const points = sql`(select coalesce(sum(xp), 0) from ${xpEntries}
    where user_id = ${users.id})`;
  return ctx.db
    .select({ ...getTableColumns(users), isBlocked: isAccountBlocked })
    .from(users)
    .where(
      sql`${eq(users.claimedEmail, email)} and ${isNull(users.email)}
        and not exists (select 1 from ${users} bound where bound.email = ${email})`,
    )
    .orderBy(sql`${points} desc`, claimedAt, users.id)
    .limit(claimsComparedMax);
}
