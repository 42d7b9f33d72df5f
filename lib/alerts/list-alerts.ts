import { desc, gt, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { alertClock, alertSilences, alerts } from "../db/schema/alerts.js";
import { queueEntries } from "../db/schema/queue.js";
import { timestamp } from "../db/timestamp.js";
import { isOpen } from "../queue/claim.js";
import { inhibitorsOf } from "./evaluate.js";
import { alertNoticeKindName, isOwnKey } from "./notice.js";
import { rules } from "./rules.js";
import { runbookUrl } from "./send-notice.js";

const AlertShown = z.strictObject({
  rule: z.string(),
  label: z.string(),
  state: z.enum(["inactive", "pending", "firing"]),
  since: z.iso.datetime(),
  detail: z.string(),
  priority: z.string(),
  /** The priority of the notice sent or queued; null without a notice. */
  toldPriority: z.string().nullable(),
  silencedUntil: z.iso.datetime().nullable(),
  /** The firing rules that hold its notice back. */
  heldBackBy: z.array(z.string()).optional(),
  /** Firing, but its condition no longer holds: it ends if this lasts. */
  isResolving: z.boolean().optional(),
  runbook: z.string(),
});

export const Alerts = z.strictObject({
  /** The last evaluated minute of counters. */
  evaluatedUntil: z.iso.datetime(),
  /** Every alert ever raised, firing ones first. */
  alerts: z.array(AlertShown),
  silences: z.array(z.strictObject({ rule: z.string(), until: z.iso.datetime() })),
  /** Notices that wait to be sent, without dead letters. */
  unsent: z.int(),
});
export type Alerts = z.infer<typeof Alerts>;

const urgency = { firing: 0, pending: 1, inactive: 2 } as const;

export async function listAlerts(ctx: Context): Promise<Alerts> {
  const { db, now, env } = ctx;
  const [clock, standing, silences, [waiting]] = await db.batch([
    db.select().from(alertClock),
    db.select().from(alerts).where(isOwnKey(ctx, alerts.key)).orderBy(desc(alerts.since)),
    db.select().from(alertSilences).where(gt(alertSilences.until, now)),
    db
      .select({ count: sql<number>`count(*)::int` })
      .from(queueEntries)
      .where(sql`kind = ${alertNoticeKindName} and ${isOpen} and expires_at > ${timestamp(now)}`),
  ]);
  const silenced = new Map(silences.map(({ rule, until }) => [rule, until.toISOString()]));
  const priorities = new Map<string, string>(rules.map(({ name, priority }) => [name, priority]));
  const shown = standing.map(
    ({ rule, label, state, since, detail, toldPriority, goodMinutes }) => ({
      heldBackBy:
        state === "firing" && toldPriority === null
          ? inhibitorsOf({ rule, label }, standing).map((other) => other.rule)
          : [],
      isResolving: state === "firing" && goodMinutes > 0,
      rule,
      label,
      state,
      since: since.toISOString(),
      detail,
      priority: priorities.get(rule) ?? "",
      toldPriority,
      silencedUntil: silenced.get(rule) ?? null,
      runbook: runbookUrl(env.alerts, { rule }),
    }),
  );
  shown.sort((one, other) => urgency[one.state] - urgency[other.state]);
  return {
    evaluatedUntil: (clock[0]?.countedUntil ?? new Date(0)).toISOString(),
    alerts: shown,
    silences: [...silenced].map(([rule, until]) => ({ rule, until })),
    unsent: waiting?.count ?? 0,
  };
}
