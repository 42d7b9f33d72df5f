import { randomUUID } from "node:crypto";
import { type SQLWrapper, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { enqueue } from "../queue/enqueue.js";
import type { Channel, Priority, Rule } from "./rule.js";

/** What somebody is told: the payload of an entry of the queue. */
export interface AlertNotice {
  event: "trigger" | "resolve";
  /** The alert's key, by which PagerDuty knows what is one and the same. */
  key: string;
  rule: string;
  label: string;
  priority: Priority;
  channel: Channel;
  summary: string;
  detail: string;
  /** The minute that it is of, ISO 8601. */
  minute: string;
  /** True where an operator asked for it, to see that it arrives. */
  isTest: boolean;
  /** Notices of one key are sent in this order. */
  order: string;
  /** Set when it went out another way because its own does not work. */
  toldOtherwise?: boolean;
}

/** An entry that is yet to be written. */
export interface QueuedAlertNotice {
  id: string;
  payload: AlertNotice;
}

/** The kind of alert notices in the queue. */
export const alertNoticeKindName = "notice";

/** After this a notice is of no use any more. */
export const noticeLifeMs = 24 * 3_600_000;

export function alertKey({ env }: Context, rule: string, label: string): string {
  return `${env.jwt.environment}:${rule}:${label}`;
}

/**
 * Of an alert's key: that this deployment environment raised it. Those of another one, such as the database
 * was copied from, are neither judged nor shown here.
 */
export const isOwnKey = ({ env }: Context, key: SQLWrapper) =>
  sql`starts_with(${key}, ${`${env.jwt.environment}:`})`;

/** A notice of a rule, to be queued in the statement that changes the alert. */
export function alertNoticeOf(
  rule: Pick<Rule, "name" | "summary">,
  of: Omit<AlertNotice, "rule" | "summary" | "order" | "minute" | "isTest"> & {
    minute: number;
    isTest?: boolean;
  },
): QueuedAlertNotice {
  const minute = new Date(of.minute).toISOString();
  return {
    id: randomUUID(),
    payload: {
      isTest: false,
      ...of,
      rule: rule.name,
      summary: rule.summary.replace("{label}", of.label),
      minute,
      order: `${minute} ${of.event === "trigger" ? 0 : 1}`,
    },
  };
}

/** The statement that queues a notice by itself, not to be sent before `from`. */
export function queueAlertNotice(ctx: Context, { id, payload }: QueuedAlertNotice, from: Date) {
  const expiresAt = new Date(from.getTime() + noticeLifeMs);
  const kind = alertNoticeKindName;
  return enqueue(ctx, { id, kind, payload, createdAt: from, runAfter: from, expiresAt });
}
