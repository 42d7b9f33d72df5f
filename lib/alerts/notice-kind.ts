import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { queueEntries } from "../db/schema/queue.js";
import { timestamp } from "../db/timestamp.js";
import {
  noticeFailed,
  noticeRetried,
  noticeSent,
  noticesExpired,
  noticeUnaddressed,
} from "../observability/log-lines/alerts.js";
import { type AttemptOutcome, defineKind, type Entry } from "../queue/kind.js";
import { type AlertNotice, alertNoticeKindName } from "./notice.js";
import { routesOf, send } from "./send-notice.js";

const NoticePayload = z.looseObject({
  event: z.enum(["trigger", "resolve"]),
  key: z.string(),
  rule: z.string(),
  label: z.string(),
  priority: z.enum(["P1", "P2", "P3"]),
  channel: z.enum(["page", "team", "investigate"]),
  summary: z.string(),
  detail: z.string(),
  minute: z.string(),
  isTest: z.boolean(),
  order: z.string(),
  toldOtherwise: z.boolean().exactOptional(),
});

const backoffSeconds = { first: 15, max: 5 * 60, jitter: 0 } as const;
const otherRouteAfterMs = 5 * 60_000;

/** At least once: PagerDuty deduplicates by the alert's key. The fallback is used too if the own route rejects it or fails for 5 min. */
export const alertNoticeKind = defineKind<AlertNotice>({
  name: alertNoticeKindName,
  payload: NoticePayload,
  // Longer than an attempt on both routes in sequence.
  leaseSeconds: 60,
  attemptsMax: null,
  backoffSeconds,
  concurrency: 8,
  budgetSeconds: 20,
  // Notices of one alert are sent in order.
  isReady: sql`not exists (
    select 1 from ${queueEntries} as earlier
    where earlier.kind = ${alertNoticeKindName}
      and earlier.send and earlier.done_at is null and earlier.dead_at is null
      and earlier.payload ->> 'key' = due.payload ->> 'key'
      and earlier.payload ->> 'order' < due.payload ->> 'order')`,
  // A later notice makes the failed ones of the alert obsolete.
  supersedes: ({ key, order }) =>
    sql`payload ->> 'key' = ${key} and payload ->> 'order' < ${order}`,
  // The same clock as the evaluation.
  now: (ctx) => timestamp(ctx.now),
  handle: deliver,
  log: {
    retried: (ctx, entry, { reason, error }, delay) =>
      noticeRetried({ ...logFieldsOf(entry), channel: ownRoute(ctx, entry), reason, error, delay }),
    died: (ctx, entry, { reason, error }) =>
      noticeFailed({ ...logFieldsOf(entry), channel: ownRoute(ctx, entry), reason, error }),
    expired: noticesExpired,
  },
});

async function deliver(
  ctx: Context,
  entry: Entry<AlertNotice>,
): Promise<AttemptOutcome<AlertNotice>> {
  const { id, payload: notice, createdAt } = entry;
  const [own, other] = routesOf(ctx.env, notice.channel);
  if (!own) {
    noticeUnaddressed({ ...logFieldsOf(entry), channel: notice.channel });
    return { end: "dropped" };
  }
  const answer = await send(ctx, own, notice, id);
  if (answer.kind === "accepted") {
    noticeSent({ ...logFieldsOf(entry), channel: own.name });
    return { end: "done" };
  }
  const isLong = ctx.now.getTime() - createdAt.getTime() > otherRouteAfterMs;
  let toldOtherwise = notice.toldOtherwise === true;
  if (other && !toldOtherwise && (isLong || answer.kind === "final")) {
    toldOtherwise = (await send(ctx, other, notice, id)).kind === "accepted";
    if (toldOtherwise) noticeSent({ ...logFieldsOf(entry), channel: other.name });
  }
  const { reason } = answer;
  const payload = { ...notice, toldOtherwise };
  if (answer.kind === "final") {
    return { end: toldOtherwise || !other ? "dead" : "retry", reason, payload };
  }
  const afterSeconds = Math.min(answer.retryAfterSeconds ?? 0, backoffSeconds.max);
  return { end: "retry", reason, payload, afterSeconds };
}

type NoticeEntry = Entry<AlertNotice | null>;

function logFieldsOf({ correlationId, attempt, payload }: NoticeEntry) {
  const { rule = "", label = "", event = "", priority = "" } = payload ?? {};
  return { correlationId, attempt, rule, label, event, priority };
}

const ownRoute = ({ env }: Context, { payload }: NoticeEntry) =>
  (payload && routesOf(env, payload.channel)[0]?.name) ?? "";
