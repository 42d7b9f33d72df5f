import { eq, isNull, lte, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { timestamp } from "../db/timestamp.js";

const hourMs = 3_600_000;
/** Else somebody could live a day twice, and double its limits. */
const zoneKeptMs = 20 * hourMs;

/**
 * A new zone counts from the next midnight of the one in force until then, so that no day is cut short
 * or begun twice. Naming the zone that was chosen already changes nothing.
 */
export function zoneToStore(ctx: Context, timeZone: string) {
  const now = timestamp(ctx.now);
  const inForce = sql`case when ${users.timeZoneFrom} > ${now} then ${users.previousTimeZone}
    else ${users.timeZone} end`;
  // Postgres's list of zones may be older than Node.js's, by which names are accepted.
  const known = sql`coalesce((select name from pg_timezone_names
    where lower(name) = lower(${inForce}) limit 1), 'UTC')`;
  const midnight = sql`(select (date_trunc('day', ${now} at time zone zone) + interval '1 day')
    at time zone zone from (select ${known} as zone) known)`;
  const ifNew = (value: SQL, kept: SQL) =>
    sql`case when ${users.timeZone} = ${timeZone} then ${kept} else ${value} end`;
  return {
    timeZone,
    previousTimeZone: ifNew(inForce, sql`${users.previousTimeZone}`),
    timeZoneFrom: ifNew(midnight, sql`${users.timeZoneFrom}`),
    timeZoneChangedAt: ifNew(now, sql`${users.timeZoneChangedAt}`),
  };
}

/** Whether the zone may be changed to this one now, as a condition on the account. */
export function mayMove(ctx: Context, timeZone: string): SQL | undefined {
  return or(
    eq(users.timeZone, timeZone),
    isNull(users.timeZoneChangedAt),
    lte(users.timeZoneChangedAt, new Date(ctx.now.getTime() - zoneKeptMs)),
  );
}

/** How long a zone that was changed then must be kept yet, in whole seconds: 0 or less when it need not. */
export function secondsUntilMove({ now }: Context, changedAt: Date | null): number {
  const freeAtMs = (changedAt?.getTime() ?? 0) + zoneKeptMs;
  return Math.ceil((freeAtMs - now.getTime()) / 1000);
}
