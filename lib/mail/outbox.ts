import { randomUUID } from "node:crypto";
import { type Placeholder, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { outbox } from "../db/schema/mail.js";
import { timestamp } from "../db/timestamp.js";
import type { Mail, MailTemplate } from "./mail.js";

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
