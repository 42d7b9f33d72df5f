import { and, eq, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { outbox } from "../db/schema/mail.js";
import { timestamp } from "../db/timestamp.js";
import {
  noticeFailed,
  noticeRetried,
  noticeSent,
  noticeUnaddressed,
} from "../observability/log-lines/alerts.js";
import type { Notice } from "./notice.js";
import { type Outcome, routesOf, send } from "./send-notice.js";

/** What became of notices: for `unaddressed` ones no way is set, and the log alone tells them. */
export interface NoticeCounts {
  sent: number;
  retried: number;
  failed: number;
  unaddressed: number;
}

/** Longer than both ways of a notice take, one after the other. */
const leaseSeconds = 60;
const backoffSeconds = { first: 15, max: 5 * 60 } as const;
/** After so long somebody is told another way. */
const otherwiseAfterMs = 5 * 60_000;
const batchMax = 8;
const runMs = 20_000;

/**
 * Send the notices that are due, those of one alert in their order, for at most 20 s. At least once:
 * calling it twice, at once or after a crash, is safe, for a notice belongs to whoever holds its lease
 * and PagerDuty knows it by its key. Rejects when Postgres is away.
 */
export async function deliverNotices(ctx: Context): Promise<NoticeCounts> {
  const counts: NoticeCounts = { sent: 0, retried: 0, failed: 0, unaddressed: 0 };
  const endMs = performance.now() + runMs;
  while (performance.now() < endMs) {
    const claimed = await claim(ctx);
    if (claimed.length === 0) break;
    const results = await Promise.allSettled(claimed.map((row) => tryOnce(ctx, row)));
    for (const result of results) {
      if (result.status === "rejected") throw result.reason;
      counts[result.value] += 1;
    }
  }
  return counts;
}

/** As an array, which is read once: a subquery could be run again for each row, and lock others. */
const firstDue = (now: SQL) => sql`${outbox.id} = any(array(
  select id from ${outbox} as due
  where kind = 'notice' and send and failed_at is null and run_after <= ${now} and expires_at > ${now}
    and not exists (
      select 1 from ${outbox} as earlier
      where earlier.kind = 'notice' and earlier.failed_at is null
        and earlier.payload ->> 'key' = due.payload ->> 'key'
        and earlier.payload ->> 'order' < due.payload ->> 'order')
  order by run_after limit ${batchMax} for update skip locked))`;

type Claimed = Awaited<ReturnType<typeof claim>>[number];

/** Lease notices, by one statement: of several callers one gets each. */
function claim(ctx: Context) {
  return ctx.db
    .update(outbox)
    .set({ attempts: sql`${outbox.attempts} + 1`, runAfter: later(ctx, leaseSeconds) })
    .where(firstDue(timestamp(ctx.now)))
    .returning({
      id: outbox.id,
      payload: sql<Notice>`${outbox.payload}`,
      correlationId: outbox.correlationId,
      createdAt: outbox.createdAt,
      attempt: outbox.attempts,
    });
}

async function tryOnce(ctx: Context, row: Claimed): Promise<keyof NoticeCounts> {
  const { id, payload: notice, correlationId, attempt, createdAt } = row;
  const { rule, label, event, priority, channel } = notice;
  const facts = { correlationId, rule, label, event, priority, attempt };
  const [own, other] = routesOf(ctx.env, channel);
  if (!own) {
    noticeUnaddressed({ ...facts, channel });
    await settle(ctx, row, null);
    return "unaddressed";
  }
  // The tick sends it; its ID is that of what raised it.
  const asRaised = { ...ctx, correlationId };
  const outcome = await send(asRaised, own, notice, id);
  if (outcome.kind === "accepted") {
    noticeSent({ ...facts, channel: own.name });
    await settle(ctx, row, null);
    return "sent";
  }
  const isLong = ctx.now.getTime() - createdAt.getTime() > otherwiseAfterMs;
  let isTold = notice.toldOtherwise === true;
  if (other && !isTold && (isLong || outcome.kind === "final")) {
    isTold = (await send(asRaised, other, notice, id)).kind === "accepted";
    if (isTold) noticeSent({ ...facts, channel: other.name });
  }
  return giveUpOrRetry(ctx, row, { outcome, isTold, channel: own.name, hasOther: !!other });
}

async function giveUpOrRetry(
  ctx: Context,
  row: Claimed,
  found: {
    outcome: Exclude<Outcome, { kind: "accepted" }>;
    isTold: boolean;
    channel: string;
    hasOther: boolean;
  },
): Promise<keyof NoticeCounts> {
  const { outcome, isTold, channel, hasOther } = found;
  const { payload, correlationId, attempt } = row;
  const { rule, label, event, priority } = payload;
  const facts = { correlationId, rule, label, event, priority, attempt, channel };
  const { reason } = outcome;
  if (outcome.kind === "final" && (isTold || !hasOther)) {
    noticeFailed({ ...facts, reason });
    await settle(ctx, row, {
      failedAt: timestamp(ctx.now),
      lastError: reason,
      payload: { ...payload, toldOtherwise: isTold },
    });
    return "failed";
  }
  const delay = delayFor(attempt, outcome);
  noticeRetried({ ...facts, reason, delay });
  await settle(ctx, row, {
    runAfter: later(ctx, delay),
    lastError: reason,
    payload: { ...payload, toldOtherwise: isTold },
  });
  return "retried";
}

/** Whole seconds: doubling, and never before the other side allows. */
function delayFor(attempt: number, outcome: Outcome): number {
  const { first, max } = backoffSeconds;
  const asked = outcome.kind === "retryable" ? (outcome.retryAfterSeconds ?? 0) : 0;
  return Math.max(Math.min(max, first * 2 ** (attempt - 1)), Math.min(asked, max));
}

/**
 * `null` removes it, with what was refused of its alert before: that would be news from the past. Changes
 * nothing of it when the lease has run out and somebody else has it since.
 */
async function settle(
  ctx: Context,
  { id, attempt, payload: { key, order } }: Claimed,
  change: { lastError: string; runAfter?: SQL; failedAt?: SQL; payload?: Notice } | null,
): Promise<void> {
  const mine = and(eq(outbox.id, id), eq(outbox.attempts, attempt));
  if (change) await ctx.db.update(outbox).set(change).where(mine);
  else await ctx.db.delete(outbox).where(or(mine, refusedBefore(key, order)));
}

const refusedBefore = (key: string, order: string) => sql`(
  kind = 'notice' and failed_at is not null
  and payload ->> 'key' = ${key} and payload ->> 'order' < ${order})`;

const later = ({ now }: Context, seconds: number) =>
  timestamp(new Date(now.getTime() + seconds * 1000));
