import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { requiredRow } from "../db/required-row.js";
import { cronLeases, cronRuns } from "../db/schema/crons.js";
import { telemetryGauges } from "../db/schema/telemetry.js";
import { seriesName } from "../observability/metrics.js";
import { type Period, scheduledJobs } from "./scheduled-jobs.js";

export interface Lease {
  job: string;
  /** ISO 8601; the start of the period of the run. */
  slot: string;
  /** Fencing token: greater than that of every holder before. */
  token: number;
}

export interface Slots {
  name: string;
  period: Period;
  leaseSeconds: number;
}

export type Claim = { lease: Lease } | { slot: string; refused: "done" | "under_way" };

interface ClaimOptions {
  again?: boolean;
  /** False: leaves the record of the slot's last run as it is. */
  isRecorded?: boolean;
  /** SQL that also runs if the lease is acquired; its argument is the CTE with the lease's row. */
  beside?: (lease: SQL) => SQL;
}

/** Lease the current slot and record the run; one of several concurrent calls gets it. The first call ever records when all jobs were first due. */
export async function claimSlot(
  ctx: Context,
  { name, period, leaseSeconds }: Slots,
  { again = false, isRecorded = true, beside }: ClaimOptions = {},
): Promise<Claim> {
  const written = beside ? sql`, beside as (${beside(sql`lease`)})` : sql``;
  const { rows } = await ctx.db.execute<Answer>(sql`
    with due as (
      select date_trunc(cast(${period} as text), now(), 'UTC') as slot
    ), lease as (
      insert into ${cronLeases} as held (job, token, slot, held_until)
      select cast(${name} as text), 1, slot, now() + make_interval(secs => ${leaseSeconds}) from due
      on conflict (job) do update
        set token = held.token + 1, slot = excluded.slot, held_until = excluded.held_until
        -- Reads only this row, in its newest version: a call that waited for the row lock sees who was first.
        where held.held_until <= now()
          and (cast(${again} as boolean) or held.done_slot is null or held.done_slot < excluded.slot)
      returning token, slot
    ), run as (
      insert into ${cronRuns} (job, slot, token, started_at)
      select cast(${name} as text), slot, token, now() from lease where cast(${isRecorded} as boolean)
      on conflict (job, slot) do update
        set token = excluded.token, started_at = excluded.started_at, finished_at = null, failed_parts = '{}'
    ), known as (
      insert into ${telemetryGauges} (series, value, measured_at)
      select series, extract(epoch from now()), now() from unnest(cast(${sql.param(firstDue)} as text[])) as series
      on conflict do nothing
    )${written}
    select
      to_char(due.slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as slot,
      lease.token,
      (select done_slot >= due.slot from ${cronLeases} where job = ${name}) as is_done
    from due left join lease on true`);
  const { slot = "", token = null, is_done: isDone = null } = rows[0] ?? {};
  if (token !== null) return { lease: { job: name, slot, token } };
  return { slot, refused: isDone ? "done" : "under_way" };
}

const firstDue = scheduledJobs.map((job) =>
  seriesName("cron_first_due_timestamp_seconds", { job }),
);

// A type, not an interface: `db.execute` needs an index signature.
type Answer = { slot: string; token: number | null; is_done: boolean | null };

/** Release the lease and record the result. With failed parts the slot can run again. False, and no effect, if another run has the lease. */
export async function finishSlot(
  ctx: Context,
  { job, slot, token }: Lease,
  failedParts: string[],
): Promise<boolean> {
  const isDone = failedParts.length === 0;
  const lastSuccess = seriesName("cron_last_success_timestamp_seconds", { job });
  const outage = seriesName("cron_outage_seconds", { job });
  const { rows } = await ctx.db.execute(sql`
    with lease as (
      update ${cronLeases} set held_until = now(),
        done_slot = case when cast(${isDone} as boolean) then greatest(done_slot, slot) else done_slot end
      where job = ${job} and token = ${token} and slot = cast(${slot} as timestamptz)
      returning job, slot
    ), run as (
      update ${cronRuns} set finished_at = now(), failed_parts = cast(${sql.param(failedParts)} as text[])
      from lease where cron_runs.job = lease.job and cron_runs.slot = lease.slot
    ), gauge as (
      insert into ${telemetryGauges} (series, value, measured_at)
      select series, value, now() from lease, (values
        (cast(${lastSuccess} as text), extract(epoch from now())), (cast(${outage} as text), 0)) as given (series, value)
      where cast(${isDone} as boolean)
      on conflict (series) do update set value = excluded.value, measured_at = excluded.measured_at
    )
    select 1 from lease`);
  return rows.length > 0;
}

/** Release the lease and record nothing. False if another run has the lease. */
export async function releaseSlot(ctx: Context, { job, token }: Lease): Promise<boolean> {
  const { rows } = await ctx.db.execute(sql`
    update ${cronLeases} set held_until = now() where job = ${job} and token = ${token} returning 1`);
  return rows.length > 0;
}

/** A statement that fails its batch (see `lacksRequiredRow`) if another run took the lease over, and locks it until commit. */
export function requireLease(ctx: Context, { job, token }: Lease) {
  return ctx.db.execute(sql`
    with held as (
      select 1 from ${cronLeases} where job = ${job} and token = ${token} for share
    )
    select ${requiredRow(sql`held`)}`);
}
