import { and, count, desc, inArray, type SQL, sql } from "drizzle-orm";
import * as z from "zod";
import { type AuditEntry, auditIfAny, auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { suppressedAddresses } from "../db/schema/mail.js";
import { webhookEvents } from "../db/schema/webhooks.js";
import { timestamp } from "../db/timestamp.js";
import { buildPage, type PageRequest } from "../page.js";
import { EpochMs } from "../timestamps.js";
import { addressHash, addressHashes } from "./address-hash.js";

export const SuppressionReason = z.enum(["bounced", "complained"]);
export type SuppressionReason = z.infer<typeof SuppressionReason>;

/** No mail is sent to the address. Stored under its keyed hash only. */
export const MailSuppression = z.strictObject({
  addressHash: z.string(),
  reason: SuppressionReason,
  /** When the mail bounced or the recipient complained, by the provider's clock. */
  since: z.iso.datetime(),
});
export type MailSuppression = z.infer<typeof MailSuppression>;

/** The last row of a page: `since` in ms and the hash. */
export const SuppressionPosition = z.tuple([EpochMs, z.string().max(64)]);

/** Newest first, and the number of all. */
export async function listSuppressions(
  { db }: Context,
  request: PageRequest<z.infer<typeof SuppressionPosition>>,
) {
  const { createdAt, addressHash: hash } = suppressedAddresses;
  const { cursor } = request;
  const [rows, [counted]] = await db.batch([
    db
      .select()
      .from(suppressedAddresses)
      .where(
        cursor && sql`(${createdAt}, ${hash}) < (${timestamp(new Date(cursor[0]))}, ${cursor[1]})`,
      )
      .orderBy(desc(createdAt), desc(hash))
      .limit(request.limit + 1),
    db.select({ total: count() }).from(suppressedAddresses),
  ]);
  const page = buildPage(rows, request, present, (row) => [
    row.createdAt.getTime(),
    row.addressHash,
  ]);
  return { ...page, total: counted?.total ?? 0 };
}

export async function findSuppression(
  { db, env }: Context,
  email: string,
): Promise<MailSuppression | null> {
  const isOf = inArray(suppressedAddresses.addressHash, addressHashes(env, email));
  const [row] = await db.select().from(suppressedAddresses).where(isOf).limit(1);
  return row ? present(row) : null;
}

interface Suppressing {
  emails: string[];
  reason: SuppressionReason;
  /** Of the bounce or complaint. A bounce before the last delivery has no effect. */
  at: Date;
}

/** Statements of one batch. A complaint replaces a bounce, and the newest time counts. */
export function suppress(ctx: Context, { emails, reason, at }: Suppressing) {
  const rows = emails.map(
    (email) => sql`select cast(${addressHash(ctx.env, email)} as text) as hash
      where cast(${reason} as text) = 'complained' or not ${wasDeliveredAfter(ctx, email, at)}`,
  );
  return [
    ctx.db.execute(sql`
      insert into ${suppressedAddresses} as known (address_hash, reason, created_at)
      select distinct hash, cast(${reason} as text), ${timestamp(at)}
      from (${sql.join(rows, sql` union all `)}) as address
      on conflict (address_hash) do update set
        reason = case when excluded.reason = 'complained' then excluded.reason else known.reason end,
        created_at = greatest(known.created_at, excluded.created_at)`),
    ...emails.map((email) => markAccount(ctx, email)),
  ] as const;
}

/** Statements of one batch. Remembers the delivery, so that an older bounce that arrives later does not suppress again. */
export function deliveredTo(ctx: Context, email: string, at: Date) {
  return [
    rememberDelivery(ctx, email, at),
    lift(
      ctx,
      email,
      { actor: { kind: "system" }, reason: "A mail was delivered." },
      sql`
      reason = 'bounced' and created_at < ${timestamp(at)}`,
    ),
    markAccount(ctx, email),
  ] as const;
}

/** The operator's decision also outweighs bounces that arrive late. */
export async function liftSuppression(ctx: Context, email: string, by: OperatorAct): Promise<void> {
  await ctx.db.batch([
    rememberDelivery(ctx, email, ctx.now),
    lift(ctx, email, by, undefined),
    markAccount(ctx, email),
  ]);
}

/** Suppress an address by an operator's decision. Audited. */
export async function setSuppression(
  ctx: Context,
  email: string,
  reason: SuppressionReason,
  by: OperatorAct,
): Promise<void> {
  const subjectId = subjectOf(ctx, email);
  await ctx.db.batch([
    auditRow(ctx, { ...by, action: "mail_suppression.set", subjectId }),
    ...suppress(ctx, { emails: [email], reason, at: ctx.now }),
  ]);
}

/** The newest delivery of each address, by its hash. */
export const deliveries = "mail_delivered";

function rememberDelivery({ db, env }: Context, email: string, at: Date) {
  return db
    .insert(webhookEvents)
    .values({ source: deliveries, id: addressHash(env, email), receivedAt: at })
    .onConflictDoUpdate({
      target: [webhookEvents.source, webhookEvents.id],
      set: { receivedAt: sql`greatest(${webhookEvents.receivedAt}, excluded.received_at)` },
    });
}

const wasDeliveredAfter = ({ env }: Context, email: string, at: Date): SQL => sql`exists (
  select 1 from ${webhookEvents}
  where source = ${deliveries} and received_at > ${timestamp(at)}
    and ${inArray(webhookEvents.id, addressHashes(env, email))})`;

function lift(
  ctx: Context,
  email: string,
  by: Pick<AuditEntry, "actor" | "reason">,
  which: SQL | undefined,
) {
  const isOf = inArray(suppressedAddresses.addressHash, addressHashes(ctx.env, email));
  const entry = {
    ...by,
    action: "mail_suppression.lifted",
    subjectId: subjectOf(ctx, email),
  } as const;
  return ctx.db.execute(sql`
    with lifted as (
      delete from ${suppressedAddresses} where ${and(isOf, which)} returning 1
    ), audited as (${auditIfAny(ctx, entry, sql`lifted`)})
    select 1 from lifted`);
}

/** The account with this address, else the hash of the address. */
const subjectOf = ({ env }: Context, email: string) => sql<string>`coalesce(
  (select cast(id as text) from ${users} where email = ${email}),
  cast(${addressHash(env, email)} as text))`;

/** `users.email_undeliverable` as the suppressions say; an account that only claims the address is not marked. */
function markAccount(ctx: Context, email: string) {
  const isSuppressed = sql`exists (select 1 from ${suppressedAddresses}
    where ${inArray(suppressedAddresses.addressHash, addressHashes(ctx.env, email))})`;
  return ctx.db.execute(sql`
    update ${users} set email_undeliverable = ${isSuppressed}, updated_at = ${timestamp(ctx.now)}
    where email = ${email} and email_undeliverable <> ${isSuppressed}`);
}

function present({
  addressHash: hash,
  reason,
  createdAt,
}: typeof suppressedAddresses.$inferSelect) {
  return { addressHash: hash, reason, since: createdAt.toISOString() };
}
