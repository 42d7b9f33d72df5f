import { randomUUID } from "node:crypto";
import { type Placeholder, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { timestamp } from "../db/timestamp.js";
import { enqueue, enqueueFrom } from "../queue/enqueue.js";
import type { Mail, MailTemplate } from "./mail.js";

export const mailKindName = "mail";

const lifeMs = 24 * 3_600_000;

/** The statement that queues a mail; commit it with the change. `send` false: never sent, so that an unknown address costs the same. */
export function queueMail(ctx: Context, id: string, mail: Mail, { send }: { send: boolean }) {
  const { now } = ctx;
  const kind = mailKindName;
  const expiresAt = new Date(now.getTime() + lifeMs);
  return enqueue(ctx, { id, kind, payload: mail, send, createdAt: now, runAfter: now, expiresAt });
}

/** A mail to an account; the values can be placeholders of a prepared statement. */
export interface AccountMail {
  id: string | Placeholder;
  template: MailTemplate;
  correlationId: string | Placeholder;
  now: SQL;
}

/** The same as SQL, to the `user_id` of `from`, which has at most one row. */
export function queueAccountMail(
  { id, template, correlationId, now }: AccountMail,
  from: SQL,
): SQL {
  const payload = sql`jsonb_build_object('template', cast(${template} as text),
    'to', jsonb_build_object('userId', user_id))`;
  const expiresAt = sql`${now} + ${sql.raw(`interval '${lifeMs} milliseconds'`)}`;
  const columns = { id: sql`${id}`, payload, correlationId: sql`${correlationId}`, now, expiresAt };
  return enqueueFrom(mailKindName, columns, from);
}

export function accountMailOf(ctx: Context, id: string, template: MailTemplate): AccountMail {
  const { correlationId } = ctx;
  return { id, template, correlationId, now: timestamp(ctx.now) };
}

interface CodeMail {
  id: string;
  template: SQL | MailTemplate;
  send: SQL | boolean;
}

/** The same for the code (`id`, `email`, `expires_at`) of `from`; the mail expires with it. */
export function queueCodeMail(
  { correlationId, now }: Context,
  { id, template, send }: CodeMail,
  from: SQL,
): SQL {
  const payload = sql`jsonb_build_object('template', cast(${template} as text), 'codeId', id,
    'to', jsonb_build_object('email', email))`;
  const columns = {
    id: sql`${id}`,
    payload,
    send: sql`${send}`,
    correlationId: sql`${correlationId}`,
    now: timestamp(now),
    expiresAt: sql`expires_at`,
  };
  return enqueueFrom(mailKindName, columns, from);
}

export const newMailId = () => randomUUID();
