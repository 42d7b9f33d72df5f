import { inArray, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { webhookEvents } from "../db/schema/webhooks.js";
import { isOpen } from "../queue/claim.js";
import { isDead } from "../queue/dead-letters.js";
import { addressHashes } from "./address-hash.js";
import { mailKindName } from "./queue-mail.js";
import { deliveries } from "./suppression.js";

/** A mail that is not sent yet, or not at all. A sent or withheld one is only in the log: `mail_sent`, `mail_withheld`. */
export const QueuedMail = z.strictObject({
  at: z.iso.datetime(),
  template: z.string(),
  state: z.enum(["waiting", "failed"]),
  attempts: z.int(),
  lastError: z.string().nullable(),
  correlationId: z.string(),
});
export type QueuedMail = z.infer<typeof QueuedMail>;

const listedMax = 20;

/** Of these accounts and canonical addresses, newest first. Each is deleted when it expires, at most a day after it was queued. */
export async function listQueuedMails(
  { db }: Context,
  { userIds, emails }: { userIds: string[]; emails: string[] },
): Promise<QueuedMail[]> {
  if (userIds.length + emails.length === 0) return [];
  const texts = (values: string[]) => sql`any(${sql.param(values)}::text[])`;
  const isTheirs = sql`kind = ${mailKindName} and (payload -> 'to' ->> 'userId' = ${texts(userIds)}
    or payload -> 'to' ->> 'email' = ${texts(emails)})`;
  const { rows } = await db.execute<{
    ms: string;
    template: string | null;
    dead: boolean;
    attempts: number;
    error: string | null;
    correlation: string;
  }>(sql`
    select cast(extract(epoch from created_at) * 1000 as bigint) as ms, payload ->> 'template' as template,
      dead_at is not null as dead, attempts, last_error as error, correlation_id as correlation
    from (
      select * from ${queueEntries} where ${isOpen} and ${isTheirs}
      union all select * from ${queueEntries} where ${isDead} and ${isTheirs}
    ) as mail
    order by created_at desc limit ${listedMax}`);
  return rows.map(({ ms, template, dead, attempts, error, correlation }) => ({
    at: new Date(Number(ms)).toISOString(),
    template: template ?? "unknown",
    state: dead ? "failed" : "waiting",
    attempts,
    lastError: error,
    correlationId: correlation,
  }));
}

/** When the provider last reported that a mail to the address was delivered, in the last 30 days. */
export async function lastMailDelivery({ db, env }: Context, email: string): Promise<Date | null> {
  const { id, source, receivedAt } = webhookEvents;
  const isOf = inArray(id, addressHashes(env, email));
  const [row] = await db
    .select({ at: sql<Date | null>`max(${receivedAt})`.mapWith(receivedAt) })
    .from(webhookEvents)
    .where(sql`${source} = ${deliveries} and ${isOf}`);
  return row?.at ?? null;
}
