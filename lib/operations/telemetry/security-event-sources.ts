import { and, desc, gt, notInArray, sql } from "drizzle-orm";
import * as z from "zod";
import { benignEvents } from "../../alerts/rules/security-rules.js";
import type { Context } from "../../context.js";
import { securityEvents } from "../../db/schema/security.js";
import { Window } from "./recent-series.js";

export const SecurityEventsQuery = z.strictObject({
  ...Window.shape,
  /** A network, such as the one that the access log shows. */
  network: z.union([z.cidrv4(), z.cidrv6()]).optional(),
});

export const SecurityEventSources = z.strictObject({
  minutes: z.int(),
  eventsUntil: z.iso.datetime(),
  rows: z.array(
    z.strictObject({
      event: z.string(),
      /** Null for the events of a flood that came from several addresses. */
      ip: z.string().nullable(),
      count: z.int(),
      /** E-mail addresses that were typed at failed sign-ins. */
      targets: z.int(),
      lastAt: z.iso.datetime(),
    }),
  ),
});
export type SecurityEventSources = z.infer<typeof SecurityEventSources>;

const rowsMax = 30;

/** The IP addresses with the most security events in the last minutes, per event, without the events that SecurityEventsSpike ignores. */
export async function listSecurityEventSources(
  { db, now }: Context,
  { minutes, network }: z.output<typeof SecurityEventsQuery>,
): Promise<SecurityEventSources> {
  const { at, event, ip, data } = securityEvents;
  const count = sql<number>`sum(${securityEvents.count})::int`;
  const rows = await db
    .select({
      event,
      ip,
      count,
      targets: sql<number>`(
        count(distinct ${data} ->> 'account') filter (where ${event} like 'login%'))::int`,
      lastAt: sql<Date>`max(${at})`.mapWith(at),
    })
    .from(securityEvents)
    .where(
      and(
        gt(at, new Date(now.getTime() - minutes * 60_000)),
        notInArray(event, [...benignEvents]),
        network === undefined ? undefined : sql`cast(${ip} as inet) <<= cast(${network} as inet)`,
      ),
    )
    .groupBy(event, ip)
    .orderBy(desc(count), event, ip)
    .limit(rowsMax);
  return {
    minutes,
    // These are stored right after the reply, not by the drain.
    eventsUntil: now.toISOString(),
    rows: rows.map((row) => ({ ...row, lastAt: row.lastAt.toISOString() })),
  };
}
