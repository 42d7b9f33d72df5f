import { randomUUID } from "node:crypto";
import { and, eq, gt, inArray, lt, type Placeholder, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { pastedCodeMax } from "../../crypto/pasted-code.js";
import { keyedHash, keyedHashes } from "../../crypto/secret.js";
import { lacksRequiredRow, violatesUnique } from "../../db/failures.js";
import { users } from "../../db/schema/accounts.js";
import { mailCodes } from "../../db/schema/mail.js";
import { timestamp } from "../../db/timestamp.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { isMailCode } from "../../mail/codes.js";
import type { MailTemplate } from "../../mail/mail.js";
import { queueCodeMail } from "../../mail/queue-mail.js";

export type CodePurpose = "verify_email" | "sign_in" | "reset_password" | "change_email";

export const SubmittedCode = z
  .string()
  .min(1)
  .max(pastedCodeMax)
  .meta({ examples: ["7K3QM9ZD"] });

export interface NewMailCode {
  purpose: Exclude<CodePurpose, "reset_password">;
  /** A user id, or `addressSubject`. */
  subject: string;
  /** SQL null without an account: the code then never matches. */
  userId: SQL;
  email: SQL | string;
  template: SQL | MailTemplate;
  /** False writes the same rows and sends nothing. */
  send: SQL | boolean;
  mailId: string;
}

export interface VerifiedCode {
  id: string;
  userId: string;
  email: string;
}

const attemptsMax = 5;
const ttlMs = 10 * 60_000;
/** A code with more time left than this is mailed again, so that the earlier mail still works. */
const reusableMs = 5 * 60_000;

export const addressSubject = (env: Env, email: string) => keyedHash(env, hashPurpose, email);

/** One per data key: codes mailed before a key rotation still match. */
export const addressSubjects = (env: Env, email: string) => keyedHashes(env, hashPurpose, email);

const hashPurpose = "mail-subject";

/** Also queues the mail. One code is valid per purpose and subject; a recent one is mailed again. `withParts`: CTEs it refers to. */
export function issueCode(ctx: Context, code: NewMailCode, withParts: SQL[] = []) {
  const at = (ms: number) => timestamp(new Date(ctx.now.getTime() + ms));
  const send = sql`cast(${code.send} as boolean)`;
  const isReusable = sql`(mail_codes.attempts < ${attemptsMax}
    and mail_codes.expires_at > ${at(reusableMs)}
    and mail_codes.email = excluded.email
    and mail_codes.user_id is not distinct from excluded.user_id
    or not ${send} and mail_codes.expires_at > ${at(0)})`;
  const keepOrReplace = (column: SQL) =>
    sql`${column} = case when ${isReusable} then mail_codes.${column} else excluded.${column} end`;
  const columns = [
    sql`id`,
    sql`user_id`,
    sql`email`,
    sql`attempts`,
    sql`created_at`,
    sql`expires_at`,
  ];
  const issued = sql`issued as (
      insert into ${mailCodes}
        (purpose, subject, id, user_id, email, attempts, created_at, expires_at)
      select cast(${code.purpose} as text), cast(${code.subject} as text),
        cast(${randomUUID()} as uuid), cast(${code.userId} as uuid), cast(${code.email} as text), 0,
        ${at(0)}, ${at(ttlMs)}
      on conflict (purpose, subject) do update set ${sql.join(columns.map(keepOrReplace), sql`, `)}
      returning id, email, expires_at
    )`;
  return ctx.db.execute(sql`
    with ${sql.join([...withParts, issued], sql`, `)}
    ${queueCodeMail(ctx, { ...code, id: code.mailId }, sql`issued`)}`);
}

/** Counts the attempt before the comparison, to limit concurrent ones. Does not consume the code. Throws `code_invalid`. */
export async function requireCode(
  ctx: Context,
  purpose: CodePurpose,
  subjects: string[],
  typed: string,
): Promise<VerifiedCode> {
  const rows = await ctx.db
    .update(mailCodes)
    .set({ attempts: sql`${mailCodes.attempts} + 1` })
    .where(
      and(
        eq(mailCodes.purpose, purpose),
        inArray(mailCodes.subject, subjects),
        lt(mailCodes.attempts, attemptsMax),
        gt(mailCodes.expiresAt, ctx.now),
      ),
    )
    .returning();
  const row = rows.find(({ id }) => isMailCode(ctx.env, id, typed));
  if (!row?.userId) throw new AppError("code_invalid");
  return { id: row.id, userId: row.userId, email: row.email };
}

/** The CTE `consumed`: of concurrent calls one consumes the code. Locks the account first to avoid deadlocks. */
export const consumeCode = (id: string | Placeholder) => sql`consumed as (
    delete from ${mailCodes} using (
      select id from ${users}
      where id = (select user_id from ${mailCodes} where id = ${id})
      for no key update
    ) as owner
    where ${mailCodes.id} = ${id} and ${mailCodes.userId} = owner.id
    returning ${mailCodes.userId}
  )`;

/** Throws `code_invalid` when the required row is missing or the address is taken, else the error itself. */
export function rethrowAsCodeInvalid(error: unknown): never {
  const isLost = lacksRequiredRow(error) || violatesUnique(error, "users_email_key");
  throw isLost ? new AppError("code_invalid") : error;
}
