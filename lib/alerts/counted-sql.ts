import { type SQL, sql } from "drizzle-orm";
import { metrics } from "../observability/metrics.js";
import type { Counted } from "./rule.js";

/** Which rows of `telemetry_minutes` a `Counted` sums, as a condition on the series' name. */
export function isSeriesOf(counted: Counted, name: SQL): SQL {
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

/** A row's share of the sum: what took longer is all, less what is in the bucket. */
export function signOf({ metric, slowerThanSeconds }: Counted, name: SQL): SQL {
  if (slowerThanSeconds === undefined) return sql`1`;
  return sql`case when ${isOfMetric(name, `${metric}_bucket`)} then -1 else 1 end`;
}

/** The value of a label in a series' name, as it is written there. */
export function labelOf(name: SQL, label: string): SQL {
  return sql`substring(${name} from ${`[{,]${label}="((?:[^"\\\\]|\\\\.)*)"`})`;
}

function isHistogram({ metric }: Counted): boolean {
  return metrics[metric].type === "histogram";
}

/** The names come from a table of ours: as literals, they let Postgres see that an index fits. */
function isOfMetric(name: SQL, metric: string): SQL {
  return sql`(${name} = ${sql.raw(`'${metric}'`)} or starts_with(${name}, ${sql.raw(`'${metric}{'`)}))`;
}
