import { randomUUID } from "node:crypto";
import { type SQLWrapper, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { outbox } from "../db/schema/mail.js";
import type { Channel, Priority, Rule } from "./rule.js";

/** What somebody is told: the payload of an outbox row of kind `notice`. */
export interface Notice {
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

/** An outbox row that is yet to be written. */
export interface QueuedNotice {
  id: string;
  payload: Notice;
}

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
export function noticeOf(
  rule: Pick<Rule, "name" | "summary">,
  of: Omit<Notice, "rule" | "summary" | "order" | "minute" | "isTest"> & {
    minute: number;
    isTest?: boolean;
  },
): QueuedNotice {
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
export function queueNotice(ctx: Context, { id, payload }: QueuedNotice, from: Date) {
  return ctx.db.insert(outbox).values({
    id,
    kind: "notice",
    payload,
    correlationId: ctx.correlationId,
    createdAt: from,
    expiresAt: new Date(from.getTime() + noticeLifeMs),
    runAfter: from,
  });
}
