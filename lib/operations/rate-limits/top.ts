import { and, desc, eq, gt, isNotNull, sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../../context.js";
import { securityEvents } from "../../db/schema/security.js";
import { drainBeforeReading, EventsUntil } from "../telemetry/drain-before-reading.js";
import { recentSeries } from "../telemetry/recent-series.js";

export const TopLimitedBy = z.enum(["ip", "route", "user"]);
export type TopLimitedBy = z.infer<typeof TopLimitedBy>;

export const TopLimited = z.strictObject({
  by: TopLimitedBy,
  since: z.iso.datetime(),
  ...EventsUntil.shape,
  rows: z.array(
    z.strictObject({ value: z.string(), policy: z.string().nullable(), hits: z.int() }),
  ),
});
export type TopLimited = z.infer<typeof TopLimited>;

const hourMs = 3_600_000;
const rowsMax = 20;

/** The most rate limit hits in the last hour, exact for routes; a flood merges events, so that some hits of IP addresses and users are missing. */
export async function topLimited(ctx: Context, by: TopLimitedBy): Promise<TopLimited> {
  const since = new Date(ctx.now.getTime() - hourMs);
  // Security events are stored right after the reply, counts of routes by the drain.
  const until =
    by === "route" ? await drainBeforeReading(ctx) : { eventsUntil: ctx.now.toISOString() };
  const rows = by === "route" ? await topRoutes(ctx) : await topCallers(ctx, since, by);
  return { by, since: since.toISOString(), ...until, rows };
}

async function topCallers({ db }: Context, since: Date, by: "ip" | "user") {
  const column = by === "ip" ? securityEvents.ip : securityEvents.userId;
  const hits = sql<number>`sum(${securityEvents.count})::int`;
  const policy = sql<string | null>`${securityEvents.data} ->> 'policy'`;
  return db
    .select({ value: sql<string>`${column}::text`, policy, hits })
    .from(securityEvents)
    .where(
      and(
        eq(securityEvents.event, "rate_limited"),
        gt(securityEvents.at, since),
        isNotNull(column),
      ),
    )
    .groupBy(sql`1`, sql`2`)
    .orderBy(desc(sql`3`), sql`1`)
    .limit(rowsMax);
}

async function topRoutes(ctx: Context): Promise<TopLimited["rows"]> {
  const series = await recentSeries(ctx, "rate_limit_hits_total{", hourMs / 60_000);
  return series
    .map(({ labels: { route = "", policy = null }, value }) => ({
      value: route,
      policy,
      hits: value,
    }))
    .sort((one, other) => other.hits - one.hits || one.value.localeCompare(other.value))
    .slice(0, rowsMax);
}
