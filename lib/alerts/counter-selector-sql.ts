import { type SQL, sql } from "drizzle-orm";
import { metrics } from "../observability/metrics.js";
import type { CounterSelector } from "./rule.js";

/** SQL condition: the rows of `telemetry_minutes` that `counted` sums. */
export function isSeriesOf(counted: CounterSelector, name: SQL): SQL {
  const { metric, where = {}, slowerThanSeconds } = counted;
  const labels = Object.entries(where).map(([label, match]) => {
    const value = sql`coalesce(${labelOf(name, label)}, '')`;
    return "matches" in match
      ? sql`${value} ~ ${`^(?:${match.matches})$`}`
      : sql`${value} !~ ${`^(?:${match.not})$`}`;
  });
  const series =
    slowerThanSeconds === undefined
      ? isOfMetric(name, isHistogram(counted) ? `${metric}_count` : metric)
      : sql`(${isOfMetric(name, `${metric}_count`)} or ${isOfMetric(name, `${metric}_bucket`)}
          and ${labelOf(name, "le")} = ${String(slowerThanSeconds)})`;
  return sql.join([series, ...labels], sql` and `);
}

/** SQL factor of a row: slower requests = `_count` minus the bucket. */
export function signOf({ metric, slowerThanSeconds }: CounterSelector, name: SQL): SQL {
  if (slowerThanSeconds === undefined) return sql`1`;
  return sql`case when ${isOfMetric(name, `${metric}_bucket`)} then -1 else 1 end`;
}

/** SQL: the value of a label in a series name, still escaped; null without the label. */
export function labelOf(name: SQL, label: string): SQL {
  return sql`substring(${name} from ${`[{,]${label}="((?:[^"\\\\]|\\\\.)*)"`})`;
}

function isHistogram({ metric }: CounterSelector): boolean {
  return metrics[metric].type === "histogram";
}

/** As literals, so that Postgres can use the index; the names come from our own table. */
function isOfMetric(name: SQL, metric: string): SQL {
  return sql`(${name} = ${sql.raw(`'${metric}'`)} or starts_with(${name}, ${sql.raw(`'${metric}{'`)}))`;
}
