import { setTimeout as sleep } from "node:timers/promises";
import { and, eq, inArray, lte, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { outbox } from "../db/schema/mail.js";
import { externalCall } from "../observability/external-call.js";
import { noticesExpired } from "../observability/log-lines/alerts.js";
import {
  mailFailed,
  mailRetried,
  mailSent,
  mailsExpired,
  mailWithheld,
} from "../observability/log-lines/mail.js";
import { admitMail } from "./admission.js";
import type { Mail } from "./mail.js";
import { handToProvider, type Outcome } from "./provider.js";
import { renderMail } from "./templates.js";

/** What became of mails: `withheld` ones are not sent on purpose. */
export interface DeliveryCounts {
  sent: number;
  retried: number;
  failed: number;
  withheld: number;
  /** Rows that were removed because what they told is of no use any more. */
  expired: number;
}

/** Longer than one try takes, the provider's deadline included. */
const leaseSeconds = 60;
const attemptsMax = 12;
const backoffSeconds = { first: 15, max: 30 * 60 } as const;
/** How many mails are tried at once: providers allow a few a second. */
const batchMax = 4;
const runMs = 20_000;
const expiredMax = 1000;

/**
 * Send those of these mails that nobody else is sending. Calling it twice, at once or after a crash, is
 * safe: a mail belongs to whoever holds its lease, and the provider takes each once.
 */
export async function deliver(ctx: Context, ids: string[]): Promise<void> {
  // A mail that was never tried is due, whatever the clocks of its writer and of Postgres say.
  const isDue = sql`(${outbox.attempts} = 0 or ${outbox.runAfter} <= now())`;
  await tryAll(ctx, await claim(ctx, sql`${inArray(outbox.id, ids)} and ${isDue}`));
}

/**
 * Send what is due, in small batches for at most 20 s, and remove what has expired. Without a key for
 * the provider nothing is sent, and mails wait. Rejects when Postgres is away.
 */
export async function deliverDue(ctx: Context): Promise<DeliveryCounts> {
  const counts = { ...nothing, expired: await removeExpired(ctx) };
  if (!ctx.env.mail.apiKey) return counts;
  const endMs = performance.now() + runMs;
  while (performance.now() < endMs) {
    const claimed = await claim(ctx, firstDue);
    if (claimed.length === 0) break;
    const { pauseMs, ...tried } = await tryAll(ctx, claimed);
    for (const name of ["sent", "retried", "failed", "withheld"] as const) {
      counts[name] += tried[name];
    }
    // Whatever else is due would be refused as well until then; the next run takes it.
    if (performance.now() + pauseMs >= endMs) break;
    await sleep(pauseMs);
  }
  return counts;
}

const nothing: DeliveryCounts = { sent: 0, retried: 0, failed: 0, withheld: 0, expired: 0 };

/** As an array, which is read once: a subquery could be run again for each row, and lock others. */
const firstDue = sql`${outbox.id} = any(array(
  select id from ${outbox}
  where kind = 'mail' and send and failed_at is null and run_after <= now() and expires_at > now()
  order by run_after limit ${batchMax} for update skip locked))`;

type Claimed = Awaited<ReturnType<typeof claim>>[number];

/** Lease mails, by one statement: of several callers one gets each. */
function claim(ctx: Context, which: SQL) {
  return ctx.db
    .update(outbox)
    .set({
      attempts: sql`${outbox.attempts} + 1`,
      runAfter: inSeconds(leaseSeconds),
    })
    .where(
      and(
        which,
        eq(outbox.kind, "mail"),
        outbox.send,
        sql`${outbox.failedAt} is null`,
        sql`${outbox.expiresAt} > now()`,
      ),
    )
    .returning({
      id: outbox.id,
      payload: sql<Mail>`${outbox.payload}`,
      correlationId: outbox.correlationId,
      createdAt: outbox.createdAt,
      expiresAt: outbox.expiresAt,
      attempt: outbox.attempts,
      /** The address that is bound to the mail's account now, where it names one. */
      boundEmail: sql<string | null>`(
        select email from ${users} where id = cast(payload -> 'to' ->> 'userId' as uuid))`,
      /** Does an account have or claim the address that the mail names? */
      hasAccount: sql<boolean>`exists (
        select 1 from ${users}
        where email = payload -> 'to' ->> 'email' or claimed_email = payload -> 'to' ->> 'email')`,
    });
}

/** Try each, and wait for all, so that one that Postgres loses does not hide the others. */
async function tryAll(ctx: Context, claimed: Claimed[]) {
  const tried = { sent: 0, retried: 0, failed: 0, withheld: 0, pauseMs: 0 };
  const results = await Promise.allSettled(claimed.map((mail) => tryOnce(ctx, mail)));
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
    const { end, pauseSeconds = 0 } = result.value;
    tried[end] += 1;
    tried.pauseMs = Math.max(tried.pauseMs, pauseSeconds * 1000);
  }
  return tried;
}

interface Try {
  end: "sent" | "retried" | "failed" | "withheld";
  /** How long the provider wants to be left alone. */
  pauseSeconds?: number | undefined;
}

async function tryOnce(ctx: Context, mail: Claimed): Promise<Try> {
  const { id, payload, boundEmail, correlationId, attempt } = mail;
  const facts = { correlationId, template: payload.template, attempt };
  const to = "email" in payload.to ? payload.to.email : boundEmail;
  const isForNoAccount = payload.template === "reset_password" && !mail.hasAccount;
  if (to === null || isForNoAccount) return withhold(ctx, mail, "no_address");
  const admission = await admitMail(ctx, id, to, payload.template);
  if (admission !== "admitted") return withhold(ctx, mail, admission);

  const message = renderMail(ctx.env, payload, mail);
  const outcome: Outcome = message
    ? await externalCall(
        ctx,
        { service: "mail", operation: "send" },
        () => handToProvider(ctx.env.mail, { key: id, to, message, correlationId }),
        (told) => (told.kind === "accepted" ? "ok" : told.reason),
      )
    : { kind: "final", reason: "unknown_template" };
  if (outcome.kind === "accepted") {
    mailSent(facts);
    await remove(ctx, id);
    return { end: "sent" };
  }
  const { reason, retryAfterSeconds } = outcome;
  const delay = delayFor(attempt, retryAfterSeconds);
  const isTooLate = Date.now() + delay * 1000 >= mail.expiresAt.getTime();
  if (outcome.kind === "final" || attempt >= attemptsMax || isTooLate) {
    mailFailed({ ...facts, reason });
    await settle(ctx, mail, { failedAt: sql`now()`, lastError: reason });
    return { end: "failed", pauseSeconds: retryAfterSeconds };
  }
  mailRetried({ ...facts, reason, delay });
  await settle(ctx, mail, { runAfter: inSeconds(delay), lastError: reason });
  return { end: "retried", pauseSeconds: retryAfterSeconds };
}

async function withhold(
  ctx: Context,
  { id, payload: { template }, correlationId, attempt }: Claimed,
  reason: "no_address" | "budget" | "suppressed",
): Promise<Try> {
  mailWithheld({ correlationId, template, attempt, reason });
  await remove(ctx, id);
  return { end: "withheld" };
}

/** Whole seconds: doubling, at random up to half as long again, and never before the provider allows. */
function delayFor(attempt: number, retryAfterSeconds = 0): number {
  const { first, max } = backoffSeconds;
  const seconds = Math.min(max, first * 2 ** (attempt - 1));
  return Math.ceil(Math.max(seconds, retryAfterSeconds) * (1 + Math.random() / 2));
}

async function remove(ctx: Context, id: string): Promise<void> {
  await ctx.db.delete(outbox).where(eq(outbox.id, id));
}

/** Changes nothing when the lease has run out and somebody else has taken the mail since. */
async function settle(
  ctx: Context,
  { id, attempt }: Claimed,
  change: { lastError: string; runAfter?: SQL; failedAt?: SQL },
): Promise<void> {
  await ctx.db
    .update(outbox)
    .set(change)
    .where(and(eq(outbox.id, id), eq(outbox.attempts, attempt)));
}

async function removeExpired(ctx: Context): Promise<number> {
  const expired = ctx.db
    .select({ id: outbox.id })
    .from(outbox)
    .where(lte(outbox.expiresAt, sql`now()`))
    .limit(expiredMax)
    .for("update", { skipLocked: true });
  const removed = await ctx.db
    .delete(outbox)
    .where(sql`${outbox.id} = any(array(${expired}))`)
    .returning({
      kind: outbox.kind,
      wasWaiting: sql<boolean>`${outbox.send} and ${outbox.failedAt} is null`,
    });
  for (const [kind, told] of [
    ["mail", mailsExpired],
    ["notice", noticesExpired],
  ] as const) {
    const unsent = removed.filter((row) => row.wasWaiting && row.kind === kind).length;
    if (unsent > 0) told(ctx.correlationId, unsent);
  }
  return removed.length;
}

const inSeconds = (seconds: number) => sql`now() + make_interval(secs => ${seconds})`;
