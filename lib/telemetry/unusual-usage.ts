import { sql } from "drizzle-orm";
import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import type { ErrorCode } from "../errors.js";

/** Thresholds: calls in the last hour, and the factor over the user's hourly mean of the week before. */
const callsMin = 300;
const timesMean = 10;

/** A security event, once per clock hour, for each user above both thresholds. A new user's mean is 0; `feature_disabled` does not count. */
export async function detectUnusualUsage(ctx: Context): Promise<{ people: number }> {
  const { rows } = await ctx.db.execute<{ account: string; calls: number }>(sql`
    with busy as (
      select user_hash, sum(count * one_in) as calls from access_log
      where user_hash is not null and at > now() - interval '1 hour'
        and code is distinct from ${"feature_disabled" satisfies ErrorCode}
      group by user_hash having sum(count * one_in) > ${sql.raw(String(callsMin))}
    ), unusual as (
      select user_hash, cast(calls as integer) as calls from busy
      where calls * 168 > ${sql.raw(String(timesMean))} * (
        select coalesce(sum(count * one_in), 0) from access_log as before
        where before.user_hash = busy.user_hash
          and before.at > now() - interval '169 hours' and before.at <= now() - interval '1 hour')
    )
    insert into unusual_usage (user_hash, hour, calls)
    select user_hash, date_trunc('hour', now(), 'UTC'), calls from unusual
    where not exists (select 1 from unusual_usage as reported
      where reported.user_hash = unusual.user_hash and reported.hour > now() - interval '1 hour')
    on conflict do nothing
    returning user_hash as account, calls`);
  for (const { account, calls } of rows) {
    securityEvent(ctx, "unusual_usage", { data: { account, count: calls } });
  }
  return { people: rows.length };
}
