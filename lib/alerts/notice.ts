import { randomUUID } from "node:crypto";
import { type SQLWrapper, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { enqueue } from "../queue/enqueue.js";
import type { Channel, Priority, Rule } from "./rule.js";

/** The payload of a queue entry. */
export interface AlertNotice {
  event: "trigger" | "resolve";
  /** The alert's key, PagerDuty's `dedup_key`. */
  key: string;
  rule: string;
  label: string;
  priority: Priority;
  channel: Channel;
  summary: string;
  detail: string;
  /** The evaluated minute, ISO 8601. */
  minute: string;
  isTest: boolean;
  /** The order of the notices of one key. */
  order: string;
  /** Sent through the fallback route. */
  toldOtherwise?: boolean;
}

export interface QueuedAlertNotice {
  id: string;
  payload: AlertNotice;
}

export const alertNoticeKindName = "notice";

export const noticeLifeMs = 24 * 3_600_000;

export function alertKey({ env }: Context, rule: string, label: string): string {
  return `${env.jwt.environment}:${rule}:${label}`;
}

/** SQL condition: the key is of this environment. A copied database also has those of another one. */
export const isOwnKey = ({ env }: Context, key: SQLWrapper) =>
  sql`starts_with(${key}, ${`${env.jwt.environment}:`})`;

/** Build a notice with a new ID; nothing is queued. */
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

/** The statement that queues a notice, to be sent from `from` on; it expires 24 h later. */
export function queueAlertNotice(ctx: Context, { id, payload }: QueuedAlertNotice, from: Date) {
  const expiresAt = new Date(from.getTime() + noticeLifeMs);
  const kind = alertNoticeKindName;
  return enqueue(ctx, { id, kind, payload, createdAt: from, runAfter: from, expiresAt });
}
