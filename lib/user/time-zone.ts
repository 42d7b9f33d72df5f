import { eq, isNull, lte, or, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { timestamp } from "../db/timestamp.js";

const hourMs = 3_600_000;
/** Otherwise a user could live a day twice and double its daily limits. */
const minChangeIntervalMs = 20 * hourMs;

/** Columns of `users`. A new zone takes effect at the next midnight of the current one; the same zone changes nothing. */
export function timeZoneUpdate(ctx: Context, timeZone: string) {
  const now = timestamp(ctx.now);
  const currentZone = sql`case when ${users.timeZoneFrom} > ${now} then ${users.previousTimeZone}
    else ${users.timeZone} end`;
  // The time zone database of Postgres may be older than that of Node.js.
  const known = sql`coalesce((select name from pg_timezone_names
    where lower(name) = lower(${currentZone}) limit 1), 'UTC')`;
  const midnight = sql`(select (date_trunc('day', ${now} at time zone zone) + interval '1 day')
    at time zone zone from (select ${known} as zone) known)`;
  const ifChanged = (value: SQL, kept: SQL) =>
    sql`case when ${users.timeZone} = ${timeZone} then ${kept} else ${value} end`;
  return {
    timeZone,
    previousTimeZone: ifChanged(currentZone, sql`${users.previousTimeZone}`),
    timeZoneFrom: ifChanged(midnight, sql`${users.timeZoneFrom}`),
    timeZoneChangedAt: ifChanged(now, sql`${users.timeZoneChangedAt}`),
  };
}

/** SQL: the zone is the current one, or the last change is at least 20 hours ago. */
export function canChangeTimeZone(ctx: Context, timeZone: string): SQL | undefined {
  return or(
    eq(users.timeZone, timeZone),
    isNull(users.timeZoneChangedAt),
    lte(users.timeZoneChangedAt, new Date(ctx.now.getTime() - minChangeIntervalMs)),
  );
}

export function secondsUntilTimeZoneMayChange({ now }: Context, changedAt: Date | null): number {
  const changeableAtMs = (changedAt?.getTime() ?? 0) + minChangeIntervalMs;
  return Math.ceil((changeableAtMs - now.getTime()) / 1000);
}
