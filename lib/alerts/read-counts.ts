import { type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { telemetryMinutes } from "../db/schema/telemetry.js";
import { epochMsOf, timestampOfMs } from "../db/timestamp.js";
import { isSeriesOf, labelOf, signOf } from "./counter-selector-sql.js";
import { countedId, type Measures, minuteMs, partsOf } from "./measures.js";
import type { Condition, CounterSelector } from "./rule.js";
import { rules } from "./rules.js";
import { spikeTotalId } from "./verdict.js";

/** The longest `windowMinutes` of any rule. */
const windowMinutesMax = 5;

/**
 * The counters from `first` to `last` (ms), and of the windows that end there, in one query. The minutes of a series are
 * gathered first, so that its labels are matched once and not once a minute.
 */
export async function readCounts(
  ctx: Context,
  first: number,
  last: number,
): Promise<Pick<Measures, "countedMinutes" | "counts" | "spikeTotals">> {
  const queries = new Map<string, { counted: CounterSelector; by: string | undefined }>();
  const spikes = [];
  for (const part of rules.flatMap(({ condition }) => partsOf(condition))) {
    if (part.kind === "spike") spikes.push(part);
    if (part.kind !== "ratio" && part.kind !== "spike") continue;
    const by = "by" in part ? part.by : undefined;
    for (const counted of part.kind === "ratio" ? [part.part, part.of] : [part.of]) {
      queries.set(countedId(counted, by), { counted, by });
    }
  }
  const name = sql`series`;
  const sums = [...queries].map(
    ([id, { counted, by }]) => sql`
      select cast(${id} as text) as id, minute,
        ${by === undefined ? sql`''` : sql`coalesce(${labelOf(name, by)}, '')`} as label,
        sum(value * (${signOf(counted, name)})) as value
      from recent, unnest(minutes, increases) as each (minute, value)
      where ${isSeriesOf(counted, name)} group by 2, 3`,
  );
  const totals = spikes.map(
    (spike) => sql`
      select cast(${spikeTotalId(spike)} as text) as id, ended as minute, null as label,
        (select coalesce(sum(value), 0) from (${minutesOf(spike, first, last)}) as each
          where each.minute > ended - make_interval(hours => ${spike.meanHours})
            and each.minute <= ended) as value
      from generate_series(${timestampOfMs(first)}, ${timestampOfMs(last)}, interval '1 minute') as ended`,
  );
  const { rows } = await ctx.db.execute<{
    id: string | null;
    minute: string;
    label: string | null;
    value: string;
  }>(sql`
    with recent as materialized (
      select series, array_agg(minute) as minutes, array_agg(value) as increases from ${telemetryMinutes}
      where minute > ${timestampOfMs(first - windowMinutesMax * minuteMs)} and minute <= ${timestampOfMs(last)}
      group by series)
    select id, ${epochMsOf(sql`minute`)} as minute, label, value from (
      ${sql.join([...sums, ...totals], sql` union all `)}
      union all select distinct null, minute, null, 0 from recent, unnest(minutes) as each (minute)) as found`);

  const countedMinutes = new Set<number>();
  const counts: Measures["counts"] = new Map();
  const totalsById: Measures["spikeTotals"] = new Map();
  for (const { id, minute, label, value } of rows) {
    const at = Number(minute);
    if (id === null) countedMinutes.add(at);
    else if (label === null) within(totalsById, id).set(at, Number(value));
    else within(within(counts, id), at).set(label, Number(value));
  }
  return { countedMinutes, counts, spikeTotals: totalsById };
}

/** The spike's counter per minute. The metric name is a literal, so that Postgres can use the index. */
function minutesOf(spike: Condition & { kind: "spike" }, first: number, last: number): SQL {
  return sql`
    select minute, sum(value) as value from ${telemetryMinutes}
    where starts_with(series, ${sql.raw(`'${spike.of.metric}'`)})
      and ${isSeriesOf(spike.of, sql`series`)} and minute <= ${timestampOfMs(last)}
      and minute > ${timestampOfMs(first)} - make_interval(hours => ${spike.meanHours})
    group by minute`;
}

function within<K, L, V>(map: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const found = map.get(key);
  if (found) return found;
  const created = new Map<L, V>();
  map.set(key, created);
  return created;
}
