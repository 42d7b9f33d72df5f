import { sql } from "drizzle-orm";
import type { Context } from "../../context.js";
import { preparedSql } from "../../db/database.js";
import { isOverdueDeletion } from "../../db/schema/privacy.js";

/** Up to this many sessions are counted exactly; more are estimated from a sample of this size. */
const sampledMax = 100_000;

/** Store `active_sessions` and the gauges of deletions. A large table is sampled by page, which is right to a few percent. Safe to repeat. Rejects without Postgres. */
export async function measureGauges({ db, now }: Context): Promise<void> {
  await storeGauges(db, { now: now.toISOString() });
}

const storeGauges = preparedSql(
  () => sql`
    with size as (
      select least(100, 100.0 * ${sql.raw(String(sampledMax))} / greatest(reltuples, 1)) as percent
      from pg_class where oid = 'sessions'::regclass
    ), live as (
      select count(*) as sampled
      from sessions tablesample system ((select percent from size)) repeatable (0)
      where revoked_at is null
        and idle_expires_at > cast(${sql.placeholder("now")} as timestamptz)
        and (expires_at is null or expires_at > cast(${sql.placeholder("now")} as timestamptz))
        and created_at >= (select revoke_all_before from security_settings)
    ), deletions as (
      select count(*) as pending, count(*) filter (where ${isOverdueDeletion}) as overdue
      from users where purge_at is not null
    )
    insert into telemetry_gauges (series, value, measured_at)
    select series, value, cast(${sql.placeholder("now")} as timestamptz)
    from live, size, deletions, (select count(*) as erased from erasures) as receipts,
      lateral (values ('active_sessions', round(sampled * 100 / percent)),
        ('account_deletions_pending', pending), ('account_deletions_overdue', overdue),
        ('accounts_erased', erased)) as measured (series, value)
    on conflict (series) do update set value = excluded.value, measured_at = excluded.measured_at
    where excluded.measured_at > telemetry_gauges.measured_at`,
);
