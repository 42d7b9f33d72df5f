import { randomUUID } from "node:crypto";
import { and, eq, gt, inArray, lt, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { keyedHash, keyedHashes } from "../../crypto/secret.js";
import { lacksRequiredRow, violatesUnique } from "../../db/failures.js";
import { users } from "../../db/schema/accounts.js";
import { mailCodes, outbox } from "../../db/schema/mail.js";
import { timestamp } from "../../db/timestamp.js";
import type { Env } from "../../env.js";
import { AppError } from "../../errors.js";
import { isMailCode } from "../../mail/codes.js";
import type { MailTemplate } from "../../mail/mail.js";

export type CodePurpose = "verify_email" | "sign_in" | "reset_password" | "change_email";

/** As it was typed; a code is 8 characters, with whatever a reader puts between them. */
export const TypedCode = z
  .string()
  .min(1)
  .max(32)
  .meta({ examples: ["7K3QM9ZD"] });

/** A code that is to be mailed, in terms that SQL can fill in. */
export interface NewMailCode {
  purpose: Exclude<CodePurpose, "reset_password">;
  /** Whom the code is for: a user id, or `addressSubject`. */
  subject: string;
  /** The account that the code acts on; SQL null where there is none: then it never matches. */
  userId: SQL;
  /** The canonical address that the code is mailed to. */
  email: SQL | string;
  template: SQL | MailTemplate;
  /** False writes the same rows and sends nothing. */
  send: SQL | boolean;
  /** The outbox row's id, for `deliverLater`. */
  mailId: string;
}

/** A live code that was shown, and what it acts on. */
export interface ShownCode {
  id: string;
  userId: string;
  email: string;
}

const attemptsMax = 5;
const lifeMs = 10 * 60_000;
/** A code that still lives this long is mailed again instead of being replaced under its reader's hands. */
const reusableMs = 5 * 60_000;

/** Whom a code is for when only an address is known: its keyed hash, whether or not anybody has it. */
export const addressSubject = (env: Env, email: string) => keyedHash(env, hashPurpose, email);

/** The same under each data key: a code that was mailed before a rotation is still theirs. */
export const addressSubjects = (env: Env, email: string) => keyedHashes(env, hashPurpose, email);

const hashPurpose = "mail-subject";

/**
 * The statement that makes a code and queues its mail. One code lives for each purpose and subject; a
 * fresh one that has attempts left is mailed again, and one that nobody will be mailed replaces no live
 * one. `withParts` are parts of the statement (`name as (…)`) that the code's terms refer to.
 */
export function issueCode(ctx: Context, code: NewMailCode, withParts: SQL[] = []) {
  const at = (ms: number) => timestamp(new Date(ctx.now.getTime() + ms));
  const send = sql`cast(${code.send} as boolean)`;
  const isReusable = sql`(mail_codes.attempts < ${attemptsMax}
    and mail_codes.expires_at > ${at(reusableMs)}
    and mail_codes.email = excluded.email
    and mail_codes.user_id is not distinct from excluded.user_id
    or not ${send} and mail_codes.expires_at > ${at(0)})`;
  const kept = (column: SQL) =>
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
        ${at(0)}, ${at(lifeMs)}
      on conflict (purpose, subject) do update set ${sql.join(columns.map(kept), sql`, `)}
      returning id, email, expires_at
    )`;
  return ctx.db.execute(sql`
    with ${sql.join([...withParts, issued], sql`, `)}
    ${queueCodes(ctx, code)}`);
}

/** The end of a statement: queues the mail of the code that a part of it (`issued`) has made. */
export function queueCodes(
  ctx: Context,
  { mailId, template, send }: Pick<NewMailCode, "mailId" | "template" | "send">,
): SQL {
  const now = timestamp(ctx.now);
  return sql`
    insert into ${outbox} (id, kind, payload, send, correlation_id, created_at, expires_at, run_after)
    select cast(${mailId} as uuid), 'mail',
      jsonb_build_object('template', cast(${template} as text), 'codeId', id,
        'to', jsonb_build_object('email', email)),
      cast(${send} as boolean), cast(${ctx.correlationId} as text), ${now}, expires_at, ${now}
    from issued`;
}

/**
 * The live code that was typed, or `code_invalid`. Each try is counted in a statement of its own before
 * anything is compared, so that no number of tries at once gets more than five. `subjects` all name the
 * same account or address.
 */
export async function requireCode(
  ctx: Context,
  purpose: CodePurpose,
  subjects: string[],
  typed: string,
): Promise<ShownCode> {
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

/**
 * The part of a statement that consumes a code (`consumed as (…)`, with its `user_id`): what is written
 * from it is written by one of several callers with the same code. The account is locked first, as by
 * everybody who changes both.
 */
export const consumed = (id: string) => sql`consumed as (
    delete from ${mailCodes} using (
      select id from ${users}
      where id = (select user_id from ${mailCodes} where id = ${id})
      for no key update
    ) as owner
    where ${mailCodes.id} = ${id} and ${mailCodes.userId} = owner.id
    returning ${mailCodes.userId}
  )`;

/**
 * What a batch that needed a code, or an address that is free, rejects with when another call was
 * faster: `code_invalid`.
 */
export function refuseLost(error: unknown): never {
  const isLost = lacksRequiredRow(error) || violatesUnique(error, "users_email_key");
  throw isLost ? new AppError("code_invalid") : error;
}
