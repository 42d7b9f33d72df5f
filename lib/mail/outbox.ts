import { randomInt, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Placeholder, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { outbox } from "../db/schema/mail.js";
import { timestamp } from "../db/timestamp.js";
import { deliver } from "./deliver.js";

/** What is to be told to whom. */
export interface Mail {
  template: MailTemplate;
  /** An address, or the account whose bound address is looked up when the mail is sent. */
  to: { email: string } | { userId: string };
  /** The row of `mail_codes` whose code the mail tells. */
  codeId?: string;
  /** The change of e-mail that the mail tells how to undo. */
  undoId?: string;
}

export type MailTemplate =
  | "verify_email"
  | "address_taken"
  | "sign_in_code"
  | "reset_password"
  | "password_changed"
  | "confirm_new_email"
  | "email_changed"
  | "email_change_undone"
  | "token_reuse"
  | "second_factor_changed";

/** After this a mail is of no use any more. */
const lifeMs = 24 * 3_600_000;

/**
 * The statement that queues a mail, to be committed with the change that it tells of. `send` false
 * writes a row that is never sent, so that what nobody gets costs what somebody gets.
 */
export function queueMail(ctx: Context, id: string, mail: Mail, { send }: { send: boolean }) {
  const { correlationId, now } = ctx;
  return ctx.db.insert(outbox).values({
    id,
    kind: "mail",
    payload: mail,
    send,
    correlationId,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifeMs),
    runAfter: now,
  });
}

/** A notice in terms that a prepared statement can fill in. */
export interface Notice {
  id: string | Placeholder;
  template: MailTemplate;
  correlationId: string | Placeholder;
  now: SQL;
}

/** The same for the accounts (`user_id`) that a part of the statement returns. */
export function queueNotice({ id, template, correlationId, now }: Notice, from: SQL): SQL {
  return sql`
    insert into ${outbox} (id, kind, payload, correlation_id, created_at, expires_at, run_after)
    select cast(${id} as uuid), 'mail',
      jsonb_build_object('template', cast(${template} as text),
        'to', jsonb_build_object('userId', user_id)),
      cast(${correlationId} as text), ${now},
      ${now} + ${sql.raw(`interval '${lifeMs} milliseconds'`)}, ${now}
    from ${from}`;
}

/** What a request knows of its notice. */
export function noticeOf(ctx: Context, id: string, template: MailTemplate): Notice {
  const { correlationId } = ctx;
  return { id, template, correlationId, now: timestamp(ctx.now) };
}

export const newMailId = () => randomUUID();

/** Send what was queued after the reply. What cannot be sent now is repeated by the clock. */
export function deliverLater(ctx: Context, ...ids: string[]): void {
  if (ctx.env.mail.apiKey) ctx.after(() => deliver(ctx, ids));
}

/**
 * The same for a mail that is sent only where an account has the address, at a random moment within
 * seconds: its work must not slow down the caller's next call, whose time would tell.
 */
export function deliverUnnoticed(ctx: Context, id: string): void {
  if (!ctx.env.mail.apiKey) return;
  ctx.after(async () => {
    await sleep(randomInt(unnoticedMs.min, unnoticedMs.max));
    await deliver(ctx, [id]);
  });
}

const unnoticedMs = { min: 500, max: 2000 } as const;
