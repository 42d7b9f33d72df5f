import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { telemetryGauges } from "./schema/telemetry.js";

/** A statement that sets gauges by series name; null removes one. For a batch or alone. */
export function writeGauges({ db }: Context, values: ReadonlyMap<string, number | null>) {
  const given = JSON.stringify([...values].map(([series, value]) => ({ series, value })));
  return db.execute(sql`
    with given as (
      select * from jsonb_to_recordset(cast(${given} as jsonb)) as each (series text, value double precision)
    ), gone as (
      delete from ${telemetryGauges} where series in (select series from given where value is null)
    )
    insert into ${telemetryGauges} (series, value, measured_at)
    select series, value, now() from given where value is not null
    on conflict (series) do update set value = excluded.value, measured_at = excluded.measured_at`);
}
